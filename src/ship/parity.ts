/** Parity: whether a shipped graph computes what the training graph computes, on real prompts. */
import { compile } from "../engine/compile.ts";
import type { Engine, Session } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { tensor } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asConstants } from "../nn/param.ts";
import type { Decoder } from "../serve/decoding.ts";
import { generate } from "../serve/generate.ts";
import { argmax } from "../serve/sample.ts";
import { RunError } from "../util/errors.ts";

export interface Parity {
  /** Largest absolute difference of a logit. */
  readonly maxLogitDiff: number;
  /** Cosine of all logits together. */
  readonly cosine: number;
  /** Share of positions whose likeliest next token is the same. */
  readonly topTokenAgreement: number;
  /** Share of prompts whose first generated token is the same. */
  readonly firstTokenAgreement: number;
  /** Share of prompts whose greedy continuation of `tokens` tokens is the same throughout. */
  readonly greedyAgreement: number;
  readonly prompts: number;
  readonly tokens: number;
}

/** Largest difference of a logit that float32 may show between two ways of computing the same. */
const FP32_TOLERANCE = 1e-3;

/** Throws RunError unless the shipped float32 graph computes what the training graph does. */
export const requireParity = ({ maxLogitDiff, topTokenAgreement }: Parity): void => {
  // Written so that NaN fails too.
  if (maxLogitDiff <= FP32_TOLERANCE) return;
  const share = (100 * topTokenAgreement).toFixed(0);
  throw new RunError(
    `the shipped float32 graph differs from the trained one by ${maxLogitDiff} in a logit ` +
      `(the likeliest token is the same in ${share} %)`,
    { hint: "nothing was shipped; please report this with the output of: npx anneal doctor --json" },
  );
};

/** The training graph as a function from ids to logits [T * V], at one fixed length. */
const reference = async (engine: Engine, model: Model, length: number) => {
  const program = trace({ inputIds: { dtype: "int32", shape: [1, length] } as const }, (v) => {
    const { inputIds } = v as unknown as { inputIds: Value };
    return { logits: model.arch.forward(asConstants(model.weights), { inputIds }, model.config).logits };
  }) as unknown as Program;
  const session: Session = await compile(engine, program);
  return {
    run: async (ids: ArrayLike<number>): Promise<Float32Array> => {
      const padded = new Int32Array(length);
      padded.set(Array.from(ids).slice(0, length));
      const out = await session.run({ inputIds: tensor("int32", [1, length], padded) });
      return out.logits!.data as Float32Array;
    },
    dispose: () => session.dispose(),
  };
};

type Reference = Awaited<ReturnType<typeof reference>>;

/**
 * Greedy continuation through the training graph: causal, so what stands behind the last token changes
 * nothing.
 */
const greedy = async (run: Reference["run"], prompt: readonly number[], tokens: number, vocab: number) => {
  const ids = [...prompt];
  for (let i = 0; i < tokens; i++) {
    const logits = await run(ids);
    ids.push(argmax(logits.subarray((ids.length - 1) * vocab, ids.length * vocab)));
  }
  return ids.slice(prompt.length);
};

/** Running sums of what is compared. */
const tally = () => ({ diff: 0, dot: 0, a: 0, b: 0, same: 0, rows: 0, first: 0, greedy: 0 });

const compareLogits = (
  sums: ReturnType<typeof tally>,
  a: Float32Array,
  b: Float32Array,
  vocab: number,
): void => {
  for (let i = 0; i < b.length; i++) {
    sums.diff = Math.max(sums.diff, Math.abs(a[i]! - b[i]!)); // Math.max keeps NaN
    sums.dot += a[i]! * b[i]!;
    sums.a += a[i]! ** 2;
    sums.b += b[i]! ** 2;
  }
  for (let row = 0; row < b.length; row += vocab) {
    const [x, y] = [a, b].map((l) => argmax(l.subarray(row, row + vocab)));
    sums.same += +(x === y);
    sums.rows++;
  }
};

/** Compares a shipped decoder with the training graph of the dense `model` on `prompts` of equal length. */
export const parity = async (
  engine: Engine,
  model: Model,
  shipped: Decoder,
  prompts: readonly (readonly number[])[],
): Promise<Parity> => {
  const { positions } = shipped.shape;
  const { vocab_size: vocab } = model.config as { vocab_size: number };
  const length = prompts[0]?.length ?? 0;
  const tokens = Math.min(32, positions - length);
  const graph = await reference(engine, model, length + tokens);
  const sums = tally();
  try {
    for (const prompt of prompts) {
      const logits = await shipped.step(shipped.cache(), prompt, 0, 0);
      compareLogits(sums, await graph.run(prompt), logits, vocab);
      const ours: number[] = [];
      for await (const id of generate(shipped, prompt, { maxTokens: tokens, temperature: 0 })) ours.push(id);
      const theirs = await greedy(graph.run, prompt, tokens, vocab);
      sums.first += +(ours[0] === theirs[0]);
      sums.greedy += +ours.every((id, i) => id === theirs[i]);
    }
  } finally {
    await graph.dispose();
  }
  return {
    maxLogitDiff: sums.diff,
    cosine: sums.dot / Math.sqrt(sums.a * sums.b),
    topTokenAgreement: sums.same / sums.rows,
    firstTokenAgreement: sums.first / prompts.length,
    greedyAgreement: sums.greedy / prompts.length,
    prompts: prompts.length,
    tokens,
  };
};
