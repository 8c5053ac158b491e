/** Decoders: how probable they find held-out text. */
import { readerOf } from "../../evaluate/parity/reader.ts";
import { type Said, saidTokens } from "../../evaluate/said.ts";
import { bootstrapSums } from "../../metrics/bootstrap.ts";
import { bitsOf } from "../../metrics/likelihood.ts";
import type { Figures } from "../../metrics/metric.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { Evaluator } from "./evaluation.ts";
import { ints, rowsOf, saidCount, textMaterial } from "./heldOut.ts";
import { textBlocks } from "./scored.ts";

/** Longest window, tokens. */
const LONGEST = 512;
/** Tokens that are drawn together for an interval: neighbours are hard or easy together. */
const BLOCK = 64;

/** Figures of blocks of tokens; their `n` counts blocks. */
const figuresOf = (windows: readonly (readonly Said[])[], tokenizer: Tokenizer): Figures => {
  const blocks = windows.flatMap((said) =>
    Array.from({ length: Math.ceil(said.length / BLOCK) }, (_, i) => said.slice(i * BLOCK, (i + 1) * BLOCK)),
  );
  const rows = blocks.map((block) => [
    block.reduce((sum, { nats }) => sum + nats, 0),
    block.length,
    block.reduce((sum, { id }) => sum + tokenizer.bytesOf(id).length, 0),
  ]);
  return {
    natsPerToken: bootstrapSums(rows, ([nats, tokens]) => nats! / tokens!),
    perplexity: bootstrapSums(rows, ([nats, tokens]) => Math.exp(nats! / tokens!)),
    bitsPerByte: bootstrapSums(rows, ([nats, , bytes]) => bitsOf(nats!, bytes!)),
  };
};

/** Nats per token, perplexity and bits per byte of held-out text. */
export const causalLm: Evaluator = {
  takes: [],
  async measure(asked) {
    const { engine, subject, hooks } = asked;
    const context = Math.min(subject.arch.cache(subject.config).positions, LONGEST);
    const session = await loadAsIs(engine, subject.graphs.model!);
    try {
      const windows = rowsOf(asked, await textMaterial(asked), { context });
      const reader = readerOf({ model: session });
      const progress = hooks.ui.task("measuring", windows.length);
      const found: Said[][] = [];
      for (const row of windows) {
        hooks.signal?.throwIfAborted();
        await reader.start();
        const length = saidCount(row);
        const logits = await reader.read(ints(row, "inputIds").slice(0, length), 0);
        found.push(saidTokens(logits, ints(row, "labels").slice(0, length)));
        progress.update(found.length);
      }
      const tokens = found.reduce((n, said) => n + said.length, 0);
      progress.done(`measured ${tokens} tokens`);
      return {
        measuredOn: `${tokens} tokens of held-out text`,
        figures: figuresOf(found, subject.tokenizer),
        scored: textBlocks(ints(windows[0]!, "inputIds")[0]!, found.flat(), subject.tokenizer),
      };
    } finally {
      await session.dispose();
    }
  },
};
