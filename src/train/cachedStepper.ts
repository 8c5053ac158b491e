/**
 * Gradient caching (GradCache; Gao et al. 2021, https://arxiv.org/abs/2101.06983): a loss that compares all
 * texts of a batch with each other, with the memory of a few. The vectors of all texts are made chunk by
 * chunk, the loss's gradient by them is kept, and each chunk goes through the model once more to carry its
 * part of it on. The update is that of the whole batch at once.
 */
import { grad } from "../autodiff/grad.ts";
import { byShape, type ShapedSessions } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds, Session } from "../engine/engine.ts";
import { constant, type Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, type TensorType, tensor, tensorOf } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { asParams } from "../nn/param.ts";
import { mul } from "../ops/elementwise.ts";
import { sum } from "../ops/structure.ts";
import { batchOutputs, modelInputs, type Objective, type VectorHalves } from "../tasks/objective.ts";
import { ConfigError } from "../util/errors.ts";
import { flatten } from "../util/tree.ts";
import { alone } from "./ranks/collective.ts";
import { prefixed } from "./ranks/held.ts";
import { rankPlans } from "./ranks/plan.ts";
import { openRank, type Rank } from "./ranks/rank.ts";
import { batchTypes, paramTypes, type StepOptions } from "./step.ts";
import { asBatch, heldBy, type MakeStepper, weightsOf } from "./stepper.ts";
import { widthOf } from "./width.ts";

// R rows of a batch, K rows of a chunk, C channels

type Types = Readonly<Record<string, TensorType>>;

const isOfRows = (name: string): boolean =>
  name === "inputIds" || (modelInputs as readonly string[]).includes(name);

const some = <T>(all: Readonly<Record<string, T>>, takes: (name: string) => boolean): Record<string, T> =>
  Object.fromEntries(Object.entries(all).filter(([name]) => takes(name)));

/** The largest divisor of `rows` that is at most `most`. */
export const chunkOf = (rows: number, most: number): number => {
  let chunk = Math.max(1, Math.min(rows, most));
  while (rows % chunk !== 0) chunk--;
  return chunk;
};

/** What is traced: the objective in its halves, and how it is cut. */
interface Cut {
  readonly model: Model;
  readonly options: StepOptions;
  readonly halves: VectorHalves;
  readonly chunk: number;
}

/** The options of a step on a chunk. */
const chunkStep = (cut: Cut, width: number): StepOptions => ({
  ...cut.options,
  batch: cut.chunk,
  accumulate: 2, // Gradients of chunks are added up, even those of one.
  objective: carrying(cut, width),
});

/** The types of a chunk's rows, from those of the whole batch. */
const rowTypes = (whole: Types, chunk: number): Record<string, TensorType> =>
  Object.fromEntries(
    Object.entries(some(whole, isOfRows)).map(([name, { dtype, shape }]) => {
      return [name, { dtype, shape: [chunk, ...shape.slice(1)] }];
    }),
  );

/** Carries the gradients of vectors on to the weights: sum(vectors * vectorGradients [K, C]). */
const carrying = ({ options, halves, chunk }: Cut, width: number): Objective => ({
  name: "carry",
  inputs: (shape) => ({
    ...rowTypes(options.objective.inputs({ ...shape, batch: options.batch }), chunk),
    vectorGradients: { dtype: "float32", shape: [chunk, width] },
  }),
  totals: (outputs, { vectorGradients, ...batch }) => ({
    total: sum(mul(halves.vectors(outputs, batch), vectorGradients!)),
    count: constant(tensorOf("float32", [], [1])),
  }),
});

/** A chunk's rows -> `vectors` [K, C]. */
const vectorStep = ({ model, options, halves, chunk }: Cut): Program => {
  const whole = batchTypes(model, options, { ranks: 1 });
  const batch: Types = { ...rowTypes(whole, chunk), seed: whole.seed! };
  return trace({ params: paramTypes(model, options), batch }, (v) => {
    const params = asParams(model.weights, flatten<Value>(v.params), v.batch.seed);
    return { vectors: halves.vectors(batchOutputs(model, params, v.batch), v.batch) };
  });
};

/** All vectors [R, C] and what the loss reads -> `total`, `count`, and the total's `gradients` [R, C]. */
const lossStep = ({ model, options, halves }: Cut, rows: number, width: number): Program => {
  const isRest = (name: string): boolean => !isOfRows(name) && name !== "seed";
  const rest = some(batchTypes(model, options, { ranks: 1 }), isRest);
  return trace({ vectors: { dtype: "float32", shape: [rows, width] }, batch: rest }, (v) => {
    const { total, count } = halves.totals(v.vectors, v.batch);
    return { total, count, gradients: grad(total, v.vectors) };
  });
};

const fed = (session: Session, feeds: Feeds): Feeds =>
  some(feeds as Record<string, Tensor>, (name) => name in session.inputTypes);

/** Rows of a batch in chunks, each with a dropout seed of its own. */
const chunksOf = ({ seed, ...feeds }: Feeds, chunk: number): Feeds[] => {
  const rows = Object.entries(feeds).filter(([name]) => isOfRows(name));
  const count = (feeds.inputIds!.shape[0] as number) / chunk;
  return Array.from({ length: count }, (_, i) => {
    const cut = ([name, t]: readonly [string, Tensor]) => {
      const size = t.data.length / count;
      const shape = [chunk, ...(t.shape as readonly number[]).slice(1)];
      return [name, { ...t, shape, data: t.data.slice(i * size, (i + 1) * size) }] as const;
    };
    const own = Number(seed?.data[0] ?? 0) ^ Math.imul(i, 0x9e3779b1);
    return { ...Object.fromEntries(rows.map(cut)), seed: tensorOf("int32", [], [own]) };
  });
};

interface Sessions {
  readonly vectors: ShapedSessions;
  readonly loss: Session;
}

/** The loss of a batch, its count, and its chunks with the gradients of their vectors. */
const cacher = ({ vectors, loss }: Sessions, rank: Rank, { chunk }: Cut) => {
  return async (feeds: Feeds) => {
    const chunks = chunksOf(feeds, chunk);
    const params = prefixed("params", rank.params());
    const made: Float32Array[] = [];
    for (const own of chunks) {
      const given = { ...params, ...asBatch(own) };
      const session = await vectors.at(asBatch(own));
      const said = await session.run(fed(session, given));
      made.push(Float32Array.from(said.vectors!.data as Float32Array));
    }
    const size = made[0]!.length;
    const all = new Float32Array(size * made.length);
    for (const [i, part] of made.entries()) all.set(part, i * size);
    const width = size / chunk;
    const given = { vectors: tensor("float32", [chunk * made.length, width], all), ...asBatch(feeds) };
    const { total, count, gradients } = await loss.run(fed(loss, given));
    const slopes = gradients!.data as Float32Array;
    const carried = chunks.map((own, i): Feeds => {
      const part = slopes.slice(i * size, (i + 1) * size);
      return { ...own, vectorGradients: tensor("float32", [chunk, width], part) };
    });
    return { total: Number(total!.data[0]), count: Number(count!.data[0]), carried };
  };
};

/**
 * Steps whose memory is that of at most `most` rows. Throws ConfigError for an objective that is no loss of
 * vectors.
 */
export const cachedStepper =
  (most: number): MakeStepper =>
  async (engine: Engine, model, options) => {
    const { batch, objective } = options;
    const { byVectors: halves, texts = 1, name } = objective;
    if (halves === undefined) {
      throw new ConfigError(`"${name}" is no loss of vectors, whose gradients could be kept`, {
        field: "train.chunk",
        hint: "leave --chunk out, or make smaller batches and accumulate them (--accumulate)",
      });
    }
    const rows = batch * texts;
    const cut: Cut = { model, options, halves, chunk: chunkOf(rows, most) };
    const program = vectorStep(cut);
    const width = (program.outputs as { readonly vectors: Value }).vectors.shape[1] as number;
    const [plan] = rankPlans(model, chunkStep(cut, width), { ranks: 1, threads: engine.threads });
    const rank = await openRank(engine, plan!, alone);
    rank.load(weightsOf(model));
    const vectors = byShape((feeds) => {
      const step = vectorStep({ ...cut, options: { ...options, ...widthOf(feeds, "batch.") } });
      return compile(engine, step, { idle: "sleep" });
    });
    const loss = await compile(engine, lossStep(cut, rows, width), { idle: "sleep" });
    const cache = cacher({ vectors, loss }, rank, cut);
    return {
      ...heldBy(rank),
      async run(micro, lr, step) {
        const cached = [];
        for (const feeds of micro) cached.push(await cache(feeds));
        const [total, count] = cached.reduce(([t, n], c) => [t + c.total, n + c.count], [0, 0]);
        const chunks = cached.flatMap(({ carried }) => carried.map(asBatch));
        const scale = count! > 0 ? 1 / count! : 1;
        const { gradNorm } = await rank.step(chunks, { lr, step, scale });
        return { loss: total! * scale, gradNorm };
      },
      async dispose() {
        await vectors.dispose();
        await loss.dispose();
        await rank.dispose();
      },
    };
  };
