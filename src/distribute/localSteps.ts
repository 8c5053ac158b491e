/**
 * Local steps (DiLoCo, Douillard et al. 2023, https://arxiv.org/abs/2311.08105): each rank trains by itself
 * on its share of the batches, and every so many steps all move on together from where they last met, by the
 * mean of how far each has come, which an outer Nesterov momentum takes as its gradient. For slow links.
 *
 * With `overlap` they take the next steps while that mean travels, and move on when it is due, by as much as
 * all have come to beyond where the rank was at the meeting: what it has learnt since stays (Streaming
 * DiLoCo, Douillard et al. 2025, https://arxiv.org/abs/2501.18512, mixes the two instead). When it is due is
 * told in steps, so that the bits do not depend on how fast messages are.
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
  /** Steps that are taken while what is given at a meeting travels, at most `every` (default: 0). */
  readonly overlap?: number;
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

/** And where its weights stand, which are to follow those of all. */
const localOf = (rank: number): string => (rank === 0 ? "local." : `rank${rank}.local.`);

/** How many ranks a checkpoint has the optimizer's state of. */
const ranksIn = (state: Tensors): number =>
  Math.max(0, ...Array.from(state.keys(), (name) => Number(/^rank(\d+)\./.exec(name)?.[1] ?? 0))) + 1;

/** Where all last met, and how they went on. */
interface Outer {
  readonly params: Float32Array;
  readonly momentum: Float32Array;
}

/** A meeting whose mean is under way or has come, and that the own weights have not moved on by. */
interface Underway {
  /** The weights of this rank at the meeting. */
  readonly from: Float32Array;
  /** Resolves when all have moved on to `outer.params`, to whether one of them has asked for something. */
  readonly met: Promise<boolean>;
}

/** Moves all on by the mean of how far each rank has come. Weights follow when the result is awaited. */
const meeting = (collective: Collective, inner: Stepper, outer: Outer, options: LocalOptions) => {
  const { outerLr = 0.8, outerMomentum = 0.5, wire = "float32", signal } = options;
  const { params, momentum } = outer;
  const average = averaging(collective, params.length, wire);
  return (): Underway => {
    const from = flat(inner.weights());
    const far = new Float32Array(from.length);
    for (let i = 0; i < far.length; i++) far[i] = params[i]! - from[i]!;
    const met = average(far, signal?.aborted ?? false).then((asked) => {
      for (let i = 0; i < far.length; i++) {
        momentum[i] = outerMomentum * momentum[i]! + far[i]!;
        params[i] = params[i]! - outerLr * (far[i]! + outerMomentum * momentum[i]!);
      }
      return asked;
    });
    // Who awaits it, later, is told; until then it is nobody's failure.
    met.catch(() => {});
    return { from, met };
  };
};

/** Moves the own weights on by as much as all have come to beyond where they were. */
const follow = (inner: Stepper, outer: Outer, from: Float32Array): void => {
  const weights = flat(inner.weights());
  for (let i = 0; i < weights.length; i++) weights[i] = weights[i]! + (outer.params[i]! - from[i]!);
  fillWith(inner.weights(), viewsLike(weights, inner.weights()));
};

/** What the ranks save and load: the first what one process would, the others their optimizer's state. */
const kept = ({ rank }: Collective, inner: Stepper, outer: Outer, overlap: number) => ({
  writes: () => rank === 0,
  /** At a meeting; `apart`: the own weights are to follow those that all have come to. */
  async state(apart: boolean): Promise<Tensors> {
    const own = await inner.state();
    const opt = prefixed(optOf(rank), under("opt.", own));
    const local = apart ? prefixed(localOf(rank), under("params.", own)) : [];
    if (rank > 0) return new Map([...opt, ...local]);
    const [params, momentum] = [outer.params, outer.momentum].map((row) => viewsLike(row, inner.weights()));
    return new Map([...prefixed("params.", params!), ...opt, ...local, ...prefixed("outer.", momentum!)]);
  },
  /** Resolves to whether the own weights are to follow yet. */
  async load(state: Tensors): Promise<boolean> {
    const [params, momentum] = [outer.params, outer.momentum].map((row) => viewsLike(row, inner.weights()));
    checkSame(momentum!, under("outer.", state));
    checkSame(params!, under("params.", state));
    // On more ranks than there were, several go on from the same.
    const from = rank % ranksIn(state);
    const local = overlap > 0 ? under(localOf(from), state) : new Map<string, Tensor>();
    const weights = local.size > 0 ? local : under("params.", state);
    const opt = prefixed("opt.", under(optOf(from), state));
    await inner.load(new Map([...prefixed("params.", weights), ...opt]));
    fillWith(momentum!, under("outer.", state));
    fillWith(params!, under("params.", state));
    return local.size > 0;
  },
});

/** The meetings of a rank, and what it makes of what comes of them. */
const meetings = (collective: Collective, inner: Stepper, outer: Outer, options: LocalOptions) => {
  const { every, steps, overlap = 0 } = options;
  const meet = meeting(collective, inner, outer, options);
  let underway: Underway | undefined;
  let [asked, met] = [false, true];
  /** Goes on from where all have come to; weights that have been stepped on since keep that. */
  const follows = async ({ from, met: arrived }: Underway, stepped: boolean): Promise<void> => {
    if (await arrived) asked = true;
    if (stepped) follow(inner, outer, from);
    else fillWith(inner.weights(), viewsLike(outer.params, inner.weights()));
    underway = undefined;
  };
  return {
    /** Resolves to whether all leave after this step. */
    async after(number: number): Promise<boolean> {
      const last = number === steps;
      met = number % every === 0 || last;
      if (underway !== undefined && (last || number % every === overlap % every))
        await follows(underway, true);
      if (!met) return false;
      underway = meet();
      if (overlap === 0 || last) await follows(underway, false);
      return asked;
    },
    /** Whether the last step was followed by a meeting. */
    met: () => met,
    /** Resolves when nothing travels. */
    arrived: async () => void (await underway?.met),
    /** Whether the own weights are still to follow. */
    apart: () => underway !== undefined,
    /** Goes on as after a meeting. */
    resume(apart: boolean): void {
      underway = apart ? { from: flat(inner.weights()), met: Promise.resolve(false) } : undefined;
      met = true;
    },
  };
};

/**
 * Training on all ranks of `collective`, which meet every so many steps and know nothing of each other in
 * between: a step's loss is that of the own share. Checkpoints and measurements fall on meetings, and are of
 * what all have come to; ranks leave at one, with `overlap` at the one after. Throws ConfigError where the
 * batch does not divide among them.
 */
export const localSteps = (collective: Collective, options: LocalOptions): Spmd => {
  const leaving = new AbortController();
  const stepper: MakeStepper = async (engine, model, step): Promise<Stepper> => {
    requireShares(step, collective);
    const { rank, size } = collective;
    const inner = await single(engine, model, { ...step, batch: step.batch / size });
    const share = sharer(model, step, size);
    const params = flat(inner.weights());
    const outer = { params, momentum: new Float32Array(params.length) };
    const all = viewsLike(params, inner.weights());
    const { after, met, arrived, apart, resume } = meetings(collective, inner, outer, options);
    const { state, load, writes } = kept(collective, inner, outer, options.overlap ?? 0);
    return {
      async run(micro, lr, number) {
        const own = micro.map((feeds) => share(feeds, rank));
        const result = await inner.run(own, lr, number);
        if (await after(number)) leaving.abort(options.signal?.reason);
        return result;
      },
      weights: () => (met() ? all : inner.weights()),
      settled: arrived,
      async state() {
        await arrived();
        if (met()) return state(apart());
        const { every } = options;
        throw new RunError(`a checkpoint between two meetings of the ranks, which are ${every} steps apart`);
      },
      load: async (saved) => resume(await load(saved)),
      writes,
      agreed: (values) => shared(collective, values),
      dispose: () => inner.dispose(),
    };
  };
  return { stepper, signal: leaving.signal };
};
