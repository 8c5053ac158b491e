/**
 * Learns how the matrices of one block are rounded: by steps along the sign of the gradient, so that the
 * block's outputs come near those of the dense model (SignRound, https://arxiv.org/abs/2309.05516: rates
 * from 1 / steps down to 0, twice that below 4 bits, offsets within a half). Deviations: codes and grids
 * begin as another method leaves them, so that ends of grids may move out too; and what the last step leaves
 * is taken, since the loss of one batch says little of which step was best.
 */
import { grad } from "../../autodiff/grad.ts";
import { compile, compileStep } from "../../engine/compile.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import { isInput, type Value } from "../../ir/op.ts";
import { nodesOf, type Program, trace } from "../../ir/program.ts";
import { scalar, type Tensor, type TensorType } from "../../ir/tensor.ts";
import { add, maximum, minimum, mul, sign, sub } from "../../ops/elementwise.ts";
import { mean } from "../../ops/reduce.ts";
import { permutation } from "../../util/rng.ts";
import { flatten } from "../../util/tree.ts";
import { madeAnew } from "../calibration/part.ts";
import type { Codes } from "../rounding/codes.ts";
import { blockedTensors, codesFrom, type Lesson, learntTensors, roundedValue, typesOf } from "./lesson.ts";
import { type Learnt, signRounded } from "./signRound.ts";

/** How a block is learnt. */
export interface LearnOptions {
  readonly steps: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
}

/** A block's part of the program, and what it is fed. */
export interface BlockTask {
  readonly outputs: readonly Value[];
  /** The program's own input of token ids. */
  readonly ids: Value;
  /** Values that are known, as inputs `held.I`. */
  readonly held: ReadonlyMap<Value, Value>;
  /** Matrices that are not learnt. */
  readonly matrixAt: (path: string) => Value;
  /** For each batch: `ids`, `held.I`, and what the dense model has as `target.I`. */
  readonly feeds: readonly Feeds[];
}

/** How far factors of a grid's ends may go. */
const [LEAST, MOST] = [0.5, 1.25];

const f32: TensorType = { dtype: "float32", shape: [] };

const indexed = <T>(values: readonly T[]): Record<string, T> =>
  Object.fromEntries(values.map((v, i) => [String(i), v]));

const within = (x: Value, low: number, high: number): Value => minimum(maximum(x, low), high);

/** What a step leaves of a matrix. */
const moved = (learnt: Learnt, g: Learnt, rate: Value): Learnt => {
  const step = (key: keyof Learnt): Value => sub(learnt[key], mul(sign(g[key]), rate));
  return {
    offset: within(step("offset"), -0.5, 0.5),
    lowFactor: within(step("lowFactor"), LEAST, MOST),
    highFactor: within(step("highFactor"), LEAST, MOST),
  };
};

/** The mean squared error of a block's outputs, summed over the outputs. */
const errorOf = (
  { outputs, held, matrixAt }: BlockTask,
  target: Readonly<Record<string, Value>>,
  rounded: ReadonlyMap<string, Value>,
): Value => {
  const made = madeAnew(indexed(outputs), held, (path) => rounded.get(path) ?? matrixAt(path));
  return Object.entries(made)
    .map(([i, v]) => {
      const off = sub(v, target[i]!);
      return mean(mul(off, off));
    })
    .reduce((a, b) => add(a, b));
};

const typeOf = ({ dtype, shape }: TensorType): TensorType => ({ dtype, shape });

/** What a program is given besides what a step needs. */
const typesOfAll = (lessons: readonly Lesson[]) => ({
  learnt: indexed(lessons.map((lesson) => typesOf(learntTensors(lesson)))),
  fixed: indexed(lessons.map((lesson) => typesOf(blockedTensors(lesson)))),
});

const givenTo = ({ ids, held }: BlockTask) => ({ ids, held: indexed([...held.values()]) });

/** One step: the state `learnt` comes back, and the loss of its batch. */
const stepOf = (lessons: readonly Lesson[], task: BlockTask): Program => {
  const target = indexed(task.outputs.map(typeOf));
  const spec = { ...typesOfAll(lessons), target, rate: f32 };
  const program = trace(spec, ({ learnt, fixed, target: wanted, rate }) => {
    const rounded = lessons.map(
      (lesson, i) => [lesson.path, roundedValue(lesson, fixed[i]!, learnt[i]!)] as const,
    );
    const loss = errorOf(task, wanted, new Map(rounded));
    const g = grad(loss, learnt);
    const next = lessons.map(({ codes }, i) =>
      moved(learnt[i]!, g[i]!, codes.bits < 4 ? mul(rate, 2) : rate),
    );
    return { learnt: indexed(next), loss };
  });
  return { ...program, inputs: { ...program.inputs, ...givenTo(task) } };
};

/** The codes of what was learnt. */
const codesProgram = (lessons: readonly Lesson[]): Program =>
  trace(typesOfAll(lessons), ({ learnt, fixed }) =>
    indexed(
      lessons.map(({ codes }, i) => {
        const { q, scale, zero } = signRounded(fixed[i]!, learnt[i]!, codes.bits);
        return { q, scale, zero };
      }),
    ),
  );

const named = (name: string, tensors: Readonly<Record<string, Readonly<Record<string, Tensor>>>>) =>
  new Map([...flatten<Tensor>(tensors)].map(([path, t]) => [`${name}.${path}`, t]));

/** Codes of a block's matrices after learning, by path. */
export const learnBlock = async (
  engine: Engine,
  lessons: readonly Lesson[],
  task: BlockTask,
  { steps, seed, signal }: LearnOptions,
): Promise<ReadonlyMap<string, Codes>> => {
  const fixed = Object.fromEntries(named("fixed", indexed(lessons.map(blockedTensors))));
  const program = stepOf(lessons, task);
  const read = new Set(nodesOf(program).flatMap((node) => (isInput(node) ? [node.attrs.name] : [])));
  const feedsOf = (feeds: Feeds): Feeds =>
    Object.fromEntries(Object.entries(feeds).filter(([name]) => read.has(name)));
  const step = await compileStep(engine, program);
  try {
    step.load(named("learnt", indexed(lessons.map(learntTensors))));
    const count = task.feeds.length;
    for (let at = 0; at < steps; at++) {
      signal?.throwIfAborted();
      const order = permutation(count, seed, `reconstruction ${Math.floor(at / count)}`);
      const feeds = feedsOf(task.feeds[order[at % count]!]!);
      await step.run({ ...fixed, ...feeds, rate: scalar((1 - at / steps) / steps) });
    }
    return await codesOf(engine, lessons, { ...fixed, ...Object.fromEntries(step.state()) });
  } finally {
    await step.dispose();
  }
};

const codesOf = async (
  engine: Engine,
  lessons: readonly Lesson[],
  feeds: Feeds,
): Promise<ReadonlyMap<string, Codes>> => {
  const session = await compile(engine, codesProgram(lessons));
  try {
    const out = await session.run(feeds);
    return new Map(
      lessons.map((lesson, i) => {
        const [q, scale, zero] = ["q", "scale", "zero"].map((part) => out[`${i}.${part}`]!);
        return [lesson.path, codesFrom(lesson, { q: q!, scale: scale!, zero: zero! })];
      }),
    );
  } finally {
    await session.dispose();
  }
};
