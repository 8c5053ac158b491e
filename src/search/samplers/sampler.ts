/** What a sampler is, and the two that look at nothing but the trial's number. */
import { rng } from "../../util/rng.ts";
import { configurations } from "../space/configurations.ts";
import type { Space, Values } from "../space/space.ts";
import { atPoint } from "../space/unit.ts";
import type { Trial } from "../trial.ts";

/**
 * Configurations for trial `number`, the best first, by the trials before it: a pure function of these and of
 * the seed, so that a search that is resumed asks for what it would have asked for. The list may have no end.
 */
export type Sampler = (number: number, trials: readonly Trial[]) => Iterable<Values>;

/** What a sampler is made with. */
export interface SamplerOptions {
  readonly seed?: number;
  /** Trials that are drawn evenly before what was measured decides. */
  readonly startup?: number;
}

/** Makes a sampler of a space. */
export type MakeSampler = (space: Space, options?: SamplerOptions) => Sampler;

/** Points drawn uniformly. */
export const random: MakeSampler =
  (space, { seed = 1 } = {}) =>
  (number) => ({
    *[Symbol.iterator]() {
      const draw = rng(seed, `random ${number}`);
      for (;;)
        yield atPoint(
          space,
          Object.keys(space).map(() => draw.uniform()),
        );
    },
  });

/** Values of a number that is not whole, in a grid. */
const GRID_STEPS = 5;

/** All configurations in their order, the last parameter changing fastest; 5 values of what has no steps. */
export const grid: MakeSampler = (space) => {
  const all = Array.from(configurations(space, GRID_STEPS));
  return (number) => all.slice(number);
};
