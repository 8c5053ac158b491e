/**
 * Local steps (DiLoCo, Douillard et al. 2023, https://arxiv.org/abs/2311.08105): each rank trains by itself
 * on its share of the batches, and every so many steps all move on together from where they last met, by the
 * mean of how far each has come, which an outer Nesterov momentum takes as its gradient. For slow links.
 */
import type { Tensor } from "../ir/tensor.ts";
import type { Collective, Parcel } from "../train/ranks/collective.ts";
import { checkSame, fillWith, numbers } from "../train/ranks/held.ts";
import { codecs, type Wire } from "../train/ranks/wire.ts";
import { type MakeStepper, type Stepper, stepper as single, under } from "../train/stepper.ts";
import { RunError } from "../util/errors.ts";
import { shared } from "./agree.ts";
import { sharer } from "./share.ts";
import { requireShares, type Spmd } from "./spmd.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** When ranks meet, and how they go on. */
export interface LocalOptions {
  /** Steps from one meeting to the next. */
  readonly every: number;
  /** Steps in all: they meet after the last, too. */
  readonly steps: number;
  /** Learning rate of the outer step (default: 0.8; the paper's 0.7 and 0.9 are those of 8 ranks). */
  readonly outerLr?: number;
  /** Its momentum (default: 0.5). */
  readonly outerMomentum?: number;
  readonly wire?: Wire;
  readonly signal?: AbortSignal | undefined;
}

/** Elements that a part of the params is a multiple of: blocks of what travels do not straddle ranks. */
const GRAIN = 256;

/** All numbers of tensors in one row. */
const flat = (tensors: Tensors): Float32Array => {
  const all = numbers(tensors);
  const row = new Float32Array(all.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const data of all) {
    row.set(data, at);
    at += data.length;
  }
  return row;
};

/** A row of numbers as tensors like others, as views. */
const viewsLike = (row: Float32Array, tensors: Tensors): Map<string, Tensor> => {
  let at = 0;
  return new Map(
    Array.from(tensors, ([path, { shape, data }]) => {
      const start = at;
      at += data.length;
      return [path, { dtype: "float32", shape, data: row.subarray(start, at) }];
    }),
  );
};

/**
 * The mean of a row over all ranks, the same bits on each: a rank adds up its part in the order of the ranks,
 * and gives it to all. Resolves to whether one of them has asked for something.
 */
const averaging = ({ rank, size, exchange }: Collective, count: number, wire: Wire) => {
  const { pack, unpack, sizeOf } = codecs[wire];
  const each = Array.from({ length: size }, (_, r) => r);
  const part = Math.ceil(count / size / GRAIN) * GRAIN;
  const partOf = (row: Float32Array, r: number) => row.subarray(r * part, (r + 1) * part);
  const lengths = each.map((r) => partOf(new Float32Array(count), r).length);
  const room = (length: number) => new Float32Array(sizeOf(length));
  return async (row: Float32Array, asks: boolean): Promise<boolean> => {
    const given = await exchange(
      each.map((r): Parcel => [pack(partOf(row, r)), Float32Array.of(asks ? 1 : 0)]),
      each.map((): Parcel => [room(lengths[rank]!), new Float32Array(1)]),
    );
    const [own, other] = [partOf(row, rank), new Float32Array(lengths[rank]!)];
    const sums = new Float64Array(own.length);
    for (const [bits] of given) {
      unpack(bits!, other);
      for (let i = 0; i < sums.length; i++) sums[i]! += other[i]!;
    }
    for (let i = 0; i < own.length; i++) own[i] = sums[i]! / size;
    const mean = pack(own);
    const means = await exchange(
      each.map((): Parcel => [mean]),
      each.map((r): Parcel => [room(lengths[r]!)]),
    );
    for (const [r, [bits]] of means.entries()) unpack(bits!, partOf(row, r));
    return given.some((parcel) => parcel[1]![0] === 1);
  };
};

const prefixed = (prefix: string, tensors: Tensors): [string, Tensor][] =>
  Array.from(tensors, ([path, t]) => [prefix + path, t]);

/** Where the optimizer's state of a rank stands in a checkpoint: that of the first as one process has it. */
const optOf = (rank: number): string => (rank === 0 ? "opt." : `rank${rank}.opt.`);

/** How many ranks a checkpoint has the optimizer's state of. */
const ranksIn = (state: Tensors): number =>
  Math.max(0, ...Array.from(state.keys(), (name) => Number(/^rank(\d+)\./.exec(name)?.[1] ?? 0))) + 1;

/** Where all last met, and how they went on. */
interface Outer {
  readonly params: Float32Array;
  readonly momentum: Float32Array;
}

/** Moves all on by the mean of how far each rank has come. */
const meeting = (collective: Collective, inner: Stepper, outer: Outer, options: LocalOptions) => {
  const { outerLr = 0.8, outerMomentum = 0.5, wire = "float32", signal } = options;
  const { params, momentum } = outer;
  const average = averaging(collective, params.length, wire);
  return async (): Promise<boolean> => {
    const far = flat(inner.weights());
    for (let i = 0; i < far.length; i++) far[i] = params[i]! - far[i]!;
    const asked = await average(far, signal?.aborted ?? false);
    for (let i = 0; i < far.length; i++) {
      momentum[i] = outerMomentum * momentum[i]! + far[i]!;
      params[i] = params[i]! - outerLr * (far[i]! + outerMomentum * momentum[i]!);
    }
    fillWith(inner.weights(), viewsLike(params, inner.weights()));
    return asked;
  };
};

/** What the ranks save and load: the first what one process would, the others their optimizer's state. */
const kept = (
  collective: Collective,
  inner: Stepper,
  outer: Outer,
): Required<Pick<Stepper, "state" | "load" | "writes">> => ({
  writes: () => collective.rank === 0,
  async state() {
    const own = await inner.state();
    const opt = prefixed(optOf(collective.rank), under("opt.", own));
    if (collective.rank > 0) return new Map(opt);
    const momentum = viewsLike(outer.momentum, inner.weights());
    const params = prefixed("params.", under("params.", own));
    return new Map([...params, ...opt, ...prefixed("outer.", momentum)]);
  },
  async load(state) {
    const momentum = viewsLike(outer.momentum, inner.weights());
    checkSame(momentum, under("outer.", state));
    // On more ranks than there were, several go on from the same.
    const opt = under(optOf(collective.rank % ranksIn(state)), state);
    const params = prefixed("params.", under("params.", state));
    await inner.load(new Map([...params, ...prefixed("opt.", opt)]));
    fillWith(momentum, under("outer.", state));
    outer.params.set(flat(inner.weights()));
  },
});

/**
 * Training on all ranks of `collective`, which meet every so many steps and know nothing of each other in
 * between: a step's loss is that of the own share. Checkpoints and measurements fall on meetings; ranks leave
 * at one. Throws ConfigError where the batch does not divide among them.
 */
export const localSteps = (collective: Collective, options: LocalOptions): Spmd => {
  const { every, steps, signal } = options;
  const leaving = new AbortController();
  const stepper: MakeStepper = async (engine, model, step): Promise<Stepper> => {
    requireShares(step, collective);
    const { rank, size } = collective;
    const inner = await single(engine, model, { ...step, batch: step.batch / size });
    const share = sharer(model, step, size);
    const params = flat(inner.weights());
    const outer = { params, momentum: new Float32Array(params.length) };
    const meet = meeting(collective, inner, outer, options);
    const { state, load, writes } = kept(collective, inner, outer);
    let met = true;
    return {
      async run(micro, lr, number) {
        const own = micro.map((feeds) => share(feeds, rank));
        const result = await inner.run(own, lr, number);
        met = number % every === 0 || number === steps;
        if (met && (await meet())) leaving.abort(signal?.reason);
        return result;
      },
      weights: () => inner.weights(),
      async state() {
        if (met) return state();
        throw new RunError(`a checkpoint between two meetings of the ranks, which are ${every} steps apart`);
      },
      load,
      writes,
      agreed: (values) => shared(collective, values),
      dispose: () => inner.dispose(),
    };
  };
  return { stepper, signal: leaving.signal };
};
