/**
 * Errors that meet: what a matrix' errors do to an output is not the sum of what each does, for inputs go
 * together, and a code that is not the nearest may make up for its neighbours'. From the codes that are
 * given, the one whose change by 1 takes most off the output's squared error is changed, again and again,
 * until none takes anything off: coordinate descent (QuantEase, https://arxiv.org/abs/2309.01885; CDQuant,
 * https://arxiv.org/abs/2406.17542), here within runs of inputs, whose second moments take little space and
 * no decomposition.
 */
import type { Codes, Rows } from "./codes.ts";
import { type Moments, nearOf, RUN, type SecondMoments } from "./moments.ts";

/**
 * How much of what two inputs have in common counts: some of it is the text's that was looked at. (Half the
 * mean square of what tokens' losses differ by: SmolLM2 0.266 by scale search, 0.219 by all of what 8,192
 * tokens have in common, 0.210 by 0.7; by 384 tokens of other texts 0.291, and 0.255 by 0.8, 0.236 by 0.6.)
 */
const SHARED = 0.8;

/** What a change has to take off, of what one step of its code adds: less may be nothing but rounding. */
const LEAST = 1e-6;

/** Changes of a run's codes at most, many times what is usual: rounding must not go to and fro. */
const MOST_CHANGES = 4 * RUN;

/** What counts of what the inputs of a run have in common, of `near` [runs, RUN, RUN]. */
const sharedOf = (near: Float64Array, run: number): Float64Array =>
  near.subarray(run * RUN * RUN, (run + 1) * RUN * RUN).map((sum, at) => {
    return at % (RUN + 1) === 0 ? sum : SHARED * sum;
  });

/** A run of one output's numbers: how far each is from its code's, and how far a step of each code goes. */
interface Run {
  readonly width: number;
  readonly errors: Float64Array;
  readonly steps: Float64Array;
  /** What inputs have in common, times the errors. */
  readonly pulls: Float64Array;
}

/** The input whose code takes most off, changed by 1 towards where it is pulled; -1 where none does. */
const bestOf = (
  { width, steps, pulls }: Run,
  shared: Float64Array,
  codes: Uint8Array,
  most: number,
): number => {
  let [best, gain] = [-1, 0];
  for (let i = 0; i < width; i++) {
    const step = Math.abs(steps[i]!);
    const adds = step * step * shared[i * RUN + i]!;
    const own = 2 * step * Math.abs(pulls[i]!) - adds;
    if (own <= gain || own <= LEAST * adds) continue;
    const up = pulls[i]! > 0 === steps[i]! > 0;
    if (up ? codes[i]! < most : codes[i]! > 0) [best, gain] = [i, own];
  }
  return best;
};

/** Changes codes of a run in place. */
const settle = (run: Run, shared: Float64Array, codes: Uint8Array, most: number): void => {
  const { width, errors, steps, pulls } = run;
  for (let i = 0; i < width; i++) {
    const row = i * RUN;
    let [even, odd] = [0, 0];
    for (let j = 0; j < width; j += 2) {
      even += shared[row + j]! * errors[j]!;
      odd += shared[row + j + 1]! * errors[j + 1]!;
    }
    pulls[i] = even + odd;
  }
  for (let change = 0; change < MOST_CHANGES; change++) {
    const at = bestOf(run, shared, codes, most);
    if (at < 0) return;
    const up = pulls[at]! > 0 === steps[at]! > 0;
    codes[at]! += up ? 1 : -1;
    const moved = up ? steps[at]! : -steps[at]!;
    for (let i = 0; i < width; i++) pulls[i]! -= shared[at * RUN + i]! * moved;
  }
};

/** The same grids with codes whose errors make up for each other, by what the inputs have in common. */
export const together = (rows: Rows, codes: Codes, moments?: Moments | SecondMoments): Codes => {
  const near = moments !== undefined && "gram" in moments ? nearOf(moments) : moments?.near;
  if (near === undefined) return codes;
  const { n, k, values } = rows;
  const { block, scale, zero } = codes;
  const [blocks, most] = [Math.ceil(k / block), 2 ** codes.bits - 1];
  const q = codes.q.slice();
  const of = () => new Float64Array(RUN);
  const [errors, steps, pulls] = [of(), of(), of()];
  for (let from = 0; from < k; from += RUN) {
    const width = Math.min(RUN, k - from);
    const shared = sharedOf(near, from / RUN);
    for (let row = 0; row < n; row++) {
      const start = row * k + from;
      for (let i = 0; i < width; i++) {
        const at = row * blocks + Math.floor((from + i) / block);
        steps[i] = scale[at]!;
        errors[i] = values[start + i]! - (q[start + i]! - zero[at]!) * scale[at]!;
      }
      settle({ width, errors, steps, pulls }, shared, q.subarray(start, start + width), most);
    }
  }
  return { ...codes, q };
};
