/**
 * Texts that the student writes itself (generalized knowledge distillation: Agarwal et al. 2023,
 * https://arxiv.org/abs/2306.13649): it learns what its teacher says of them, and so of where its own choices
 * lead. They are drawn with the weights of the moment, so that a run that is resumed draws the same.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds, Session } from "../../engine/engine.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { IGNORE } from "../../nn/loss.ts";
import { decoderOf } from "../../serve/decode/decoding.ts";
import { generateBatch } from "../../serve/decode/generate.ts";
import { generatingProgram } from "../../serve/graphs/decoder.ts";
import type { BatchSource } from "../../tasks/task.ts";
import { ConfigError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";

// B rows, T tokens of a row

/** How much the student writes. */
export interface OnPolicyOptions {
  /** Share of the micro-batches whose texts it writes on, from 0 to 1. */
  readonly share: number;
  readonly seed: number;
}

/** One part in so many of a row is the data's: what the student goes on from. */
const PROMPT = 4;

type Weights = ReadonlyMap<string, Tensor>;

/** The student's decoding graph, whose weights are fed as they are now. */
const openStudent = async (engine: Engine, student: Model, weights: () => Weights) => {
  const types = Object.fromEntries(
    Array.from(weights(), ([path, { dtype, shape }]) => [path, { dtype, shape }] as const),
  );
  const graph = await compile(engine, generatingProgram(student, types), { inPlace: true, idle: "sleep" });
  // What learns beside the student is none of the graph's inputs.
  const fed = (): Feeds =>
    Object.fromEntries(
      Array.from(weights(), ([path, t]) => [`w.${path}`, t] as const).filter(
        ([name]) => name in graph.inputTypes,
      ),
    );
  const session: Session = { ...graph, run: (feeds, fetches) => graph.run({ ...fed(), ...feeds }, fetches) };
  return decoderOf(session, student.arch.cache(student.config));
};

/** The rows of a batch of running text, T + 1 token ids each, or as many as there is text. */
export const textsOf = ({ inputIds, labels }: Feeds): readonly number[][] => {
  const [rows, length] = inputIds!.shape as readonly [number, number];
  const said = labels!.data as Int32Array;
  return Array.from({ length: rows }, (_, row) => {
    const own = Array.from(said.subarray(row * length, (row + 1) * length));
    const end = own.indexOf(IGNORE);
    return [Number(inputIds!.data[row * length]), ...own.slice(0, end < 0 ? length : end)];
  });
};

/** A batch of texts [B, T + 1]. */
const batchOf = (texts: readonly (readonly number[])[]): Feeds => {
  const length = texts[0]!.length - 1;
  const side = (from: number) => Int32Array.from(texts.flatMap((ids) => ids.slice(from, from + length)));
  return {
    inputIds: tensor("int32", [texts.length, length], side(0)),
    labels: tensor("int32", [texts.length * length], side(1)),
  };
};

/** Throws ConfigError for batches whose rows are more than one running text. */
const requirePlain = (batch: Feeds): void => {
  const more = Object.keys(batch).filter((name) => name !== "inputIds" && name !== "labels");
  if (more.length === 0) return;
  throw new ConfigError("goes on from running text, and these batches are made of several documents each", {
    field: "distill.onPolicy",
    hint: "leave --on-policy out, or --document-mask",
  });
};

/** Micro-batches of which the student writes a share, and what they take. */
export interface OnPolicySource {
  readonly source: BatchSource;
  dispose(): Promise<void>;
}

/**
 * `source` with a share of its batches [B, T] written on by `student` from the first quarter of each row, as
 * it is with the `weights` of the moment. Throws ConfigError for batches of several documents a row.
 */
export const onPolicy = (
  engine: Engine,
  student: Model,
  { source, weights, share, seed }: OnPolicyOptions & { source: BatchSource; weights: () => Weights },
): OnPolicySource => {
  let opened: ReturnType<typeof openStudent> | undefined;
  return {
    source: async (index) => {
      const batch = await source(index);
      const random = rng(seed, "on-policy", index);
      if (random.uniform() >= share) return batch;
      requirePlain(batch);
      opened ??= openStudent(engine, student, weights);
      const texts = textsOf(batch);
      const from = Math.max(1, Math.floor(texts[0]!.length / PROMPT));
      const written = texts.map((ids) => ids.slice(0, from));
      const how = { maxTokens: texts[0]!.length - from, seed: random.int(2 ** 31) };
      for await (const { row, id } of generateBatch(
        await opened,
        written.map((ids) => ids.slice()),
        how,
      )) {
        written[row]!.push(id);
      }
      return batchOf(written);
    },
    dispose: async () => (await opened)?.dispose(),
  };
};
