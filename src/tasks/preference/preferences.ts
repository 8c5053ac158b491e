/**
 * What the tasks of preferences share: examples of two rows, their batches, and the untouched model's say.
 */
import type { Engine, Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { type Collate, exampleHeldOut } from "../exampleLesson.ts";
import { type Places, placesOf, rowFeeds, type TokenRow } from "../instruct/batch.ts";
import type { Example, Examples } from "../records.ts";
import { saidOf } from "../scores.ts";
import type { HeldOut, Judge, LessonOptions } from "../task.ts";
import { logProbs, ratios } from "./objectives.ts";

/** Two rows as one example: [the one, the other]. */
export const twoRows = (
  [one, other]: readonly [TokenRow, TokenRow],
  more: Readonly<Record<string, ArrayLike<number>>> = {},
): Pick<Example, "length" | "parts"> => ({
  length: Math.max(one.ids.length, other.ids.length),
  parts: {
    ...{ ids: one.ids, labels: one.labels, otherIds: other.ids, otherLabels: other.labels },
    ...more,
  },
});

const rowsOf = ({ parts }: Example): readonly [TokenRow, TokenRow] => [
  { ids: Int32Array.from(parts.ids!), labels: Int32Array.from(parts.labels!) },
  { ids: Int32Array.from(parts.otherIds!), labels: Int32Array.from(parts.otherLabels!) },
];

const numbers = (
  examples: readonly Example[],
  batch: number,
  of: (example: Example) => ArrayLike<number>,
) => {
  const all = new Float32Array(batch * 2);
  examples.forEach((example, i) => {
    all.set(of(example), 2 * i);
  });
  return tensor("float32", [batch * 2], all);
};

/** The places that the head reads, and batches of two rows an example. */
export const pairBatches = (
  { train, validation }: Examples,
  options: LessonOptions,
): { readonly places: Places; readonly collate: Collate } => {
  const places = placesOf([...train, ...validation].flatMap(rowsOf));
  const collate: Collate = (examples, { batch, width }): Feeds => {
    const rows = Array.from({ length: batch }, (_, i) =>
      examples[i] === undefined ? [undefined, undefined] : rowsOf(examples[i]),
    ).flat();
    const none = [0, 0];
    return {
      ...rowFeeds(rows, { width, places }, options),
      counted: numbers(examples, batch, () => [1, 1]),
      reference: numbers(examples, batch, ({ parts }) => parts.reference ?? none),
      ...(examples.some(({ parts }) => parts.desirable !== undefined)
        ? { desirable: numbers(examples, batch, ({ parts }) => [parts.desirable![0]!, parts.desirable![0]!]) }
        : {}),
    };
  };
  return { places, collate };
};

/** The options of a lesson whose examples take two rows each. Throws ConfigError for an odd batch. */
export const inPairs = (options: LessonOptions): LessonOptions => {
  if (options.batch % 2 === 0) return { ...options, batch: options.batch / 2 };
  throw new ConfigError(`${options.batch} is odd, and an example takes two rows of a batch`, {
    field: "train.batch",
    hint: "set --batch to an even number",
  });
};

/** Reads what was said of each example, two numbers each, in the order of the held-out batches. */
const inOrder = (
  said: readonly Readonly<Record<string, { readonly data: ArrayLike<unknown> }>>[],
  name: string,
) => said.flatMap((each) => Array.from(each[name]!.data, Number));

/** The examples with the untouched model's log-probabilities of their rows in part "reference". */
const referred = async (
  engine: Engine,
  model: Model,
  examples: readonly Example[],
  options: LessonOptions,
): Promise<readonly Example[]> => {
  if (examples.length === 0) return examples;
  const all: Examples = { kind: "examples", train: [], validation: examples };
  const held = exampleHeldOut(all, options, pairBatches(all, options).collate);
  const said = await saidOf(engine, model, held.windows, (outputs, batch) => ({
    logProbs: logProbs(outputs, batch),
  }));
  const found = inOrder(said, "logProbs");
  const known = new Map(held.examples!.map((example, i) => [example, found.slice(2 * i, 2 * i + 2)]));
  return examples.map((example) => ({
    ...example,
    parts: { ...example.parts, reference: known.get(example)! },
  }));
};

/** The material with what the untouched model says of it, computed once: see `referred`. */
export const prepared = async (
  engine: Engine,
  model: Model,
  { train, validation }: Examples,
  options: LessonOptions,
): Promise<Examples> => {
  const pairs = inPairs(options);
  return {
    kind: "examples",
    train: await referred(engine, model, train, pairs),
    validation: await referred(engine, model, validation, pairs),
  };
};

/** Throws DataError for examples that no untouched model has said anything of. */
export const requireReference = ({ train, validation }: Examples): void => {
  if ([...train, ...validation].every(({ parts }) => parts.reference !== undefined)) return;
  throw new DataError("the examples have no log-probabilities of the untouched model", {
    hint: "prepare the material with the task's `prepare`",
  });
};

/** How far the preferred rows are before the others, nats, of held-out examples in their order. */
const marginsIn = (said: Parameters<typeof inOrder>[0], { examples = [] }: HeldOut): Float32Array => {
  const [own, other] = [inOrder(said, "own"), inOrder(said, "other")];
  return Float32Array.from(examples, (_, i) => own[i]! - other[i]!);
};

const says: Judge["says"] = (outputs, batch) => {
  const [own, other] = ratios(outputs, batch);
  return { own, other };
};

/** Margins of a finished model. */
export const marginsOf = async (engine: Engine, model: Model, heldOut: HeldOut): Promise<Float32Array> =>
  marginsIn(await saidOf(engine, model, heldOut.windows, says), heldOut);

/** +1 for a good answer, -1 for another. */
const signOf = ({ parts }: Example): number => (parts.desirable?.[0] === 1 ? 1 : -1);

const gainsIn = (said: Parameters<typeof inOrder>[0], { examples = [] }: HeldOut): Float32Array => {
  const own = inOrder(said, "own");
  return Float32Array.from(examples, (_, i) => own[i]!);
};

/** What good answers gained and others lost under a finished model, nats. */
export const gainsOf = async (engine: Engine, model: Model, heldOut: HeldOut): Promise<Float32Array> => {
  const gains = gainsIn(await saidOf(engine, model, heldOut.windows, says), heldOut);
  return gains.map((gain, i) => gain * signOf(heldOut.examples![i]!));
};

/** How often a good answer gains more than another, over all pairs of the two; a tie is half. */
const ranked = (gains: Float32Array, examples: readonly Example[]): number => {
  const of = (sign: number) => Array.from(gains).filter((_, i) => signOf(examples[i]!) === sign);
  const [good, others] = [of(1), of(-1)];
  const wins = good.reduce(
    (sum, a) => sum + others.reduce((n, b) => n + (a > b ? 1 : a === b ? 0.5 : 0), 0),
    0,
  );
  return good.length * others.length === 0 ? 0.5 : wins / (good.length * others.length);
};

/** Judges by how often a good answer gains more than another. */
export const rankAccuracy = (heldOut: HeldOut): Judge => ({
  name: "reward accuracy",
  better: "more",
  says,
  figure: (said) => ranked(gainsIn(said, heldOut), heldOut.examples ?? []),
});

/** The teaching of a task that no teacher helps with. */
export const untaught = (task: string) => (): never => {
  throw new ConfigError(`${task} learns from preferences, not from a teacher`, { field: "distill" });
};

/** The share of margins above 0. */
export const shareAbove0 = (margins: Float32Array): number =>
  margins.reduce((n, margin) => n + Number(margin > 0), 0) / margins.length;

/** Judges by how often the preferred answer gains more than the other. */
export const rewardAccuracy = (heldOut: HeldOut): Judge => ({
  name: "reward accuracy",
  better: "more",
  says,
  figure: (said) => shareAbove0(marginsIn(said, heldOut)),
});
