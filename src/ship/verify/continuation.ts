/** Greedy continuations by the training graph of a dense model, all prompts at once. */
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import type { Continuation } from "../../evaluate/parity/reference.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { asConstants } from "../../nn/param.ts";
import { argmax } from "../../serve/decode/sample.ts";

// B prompts, T tokens of the longest prompt with its continuation, S of the longest source, V vocabulary

/** What is continued. */
export type Prompt = Pick<Continuation, "prompt" | "source">;

/** Most numbers that the logits of all prompts may be. */
const MOST_LOGITS = 2 ** 25;

/** How many rows of `length` tokens have logits that fit into memory with ease; at least one. */
export const mostRows = (vocab: number, length: number): number =>
  Math.max(1, Math.floor(MOST_LOGITS / (length * vocab)));

/** Rows as one tensor [B, length] int32, filled behind with zeros. */
const grid = (rows: readonly (readonly number[])[], length: number): Tensor =>
  tensor(
    "int32",
    [rows.length, length],
    Int32Array.from(rows.flatMap((ids) => Array.from({ length }, (_, i) => ids[i] ?? 0))),
  );

/** What is fed besides the tokens that grow: nothing, or the sources with their mask. */
const sourceFeeds = (prompts: readonly Prompt[]): Record<string, Tensor> => {
  const sources = prompts.flatMap(({ source }) => (source === undefined ? [] : [source]));
  if (sources.length === 0) return {};
  const length = Math.max(...sources.map((ids) => ids.length));
  const mask = sources.map((ids) => ids.map(() => 1));
  return { inputIds: grid(sources, length), attentionMask: grid(mask, length) };
};

/** The training graph over these feeds, [B, T] ids and what else -> logits [B, T, V]. */
const trainingGraph = (
  engine: Engine,
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Session> => {
  const types = Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }] as const);
  const program = trace(Object.fromEntries(types), (v) => {
    const inputs = { inputIds: v.inputIds!, ...v };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  return compile(engine, program);
};

/** Continues each prompt by `tokens` tokens; what stands behind the last token changes nothing before it. */
export const continuations = async (
  engine: Engine,
  model: Model,
  prompts: readonly Prompt[],
  tokens: number,
): Promise<readonly Continuation[]> => {
  const source = sourceFeeds(prompts);
  const grows = "inputIds" in source ? "decoderInputIds" : "inputIds";
  const texts = prompts.map(({ prompt }) => [...prompt]);
  const total = Math.max(...texts.map((ids) => ids.length)) + tokens;
  const feeds = () => ({ ...source, [grows]: grid(texts, total) });
  const session = await trainingGraph(engine, model, feeds());
  try {
    let logits = (await session.run(feeds())).logits!;
    const vocab = logits.shape.at(-1)!;
    const rows = (text: number, from: number, to: number): Float32Array =>
      (logits.data as Float32Array).subarray((text * total + from) * vocab, (text * total + to) * vocab);
    for (let made = 0; made < tokens; made++) {
      if (made > 0) logits = (await session.run(feeds())).logits!;
      texts.forEach((ids, i) => {
        ids.push(argmax(rows(i, ids.length - 1, ids.length)));
      });
    }
    return prompts.map(({ prompt, source }, i) => {
      const length = prompt.length + tokens - 1;
      return {
        prompt,
        ...(source === undefined ? {} : { source }),
        tokens: texts[i]!.slice(prompt.length),
        logits: tensor("float32", [length, vocab], rows(i, 0, length).slice()),
      };
    });
  } finally {
    await session.dispose();
  }
};
