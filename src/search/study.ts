/**
 * A search as it goes: asked for a configuration, told what was measured. All that it knows are its trials,
 * so that one made of the trials of another goes on where that was.
 */
import { ConfigError } from "../util/errors.ts";
import { permutation } from "../util/rng.ts";
import { projected } from "./fidelity/projected.ts";
import { frontOf } from "./front/sort.ts";
import { type SamplerName, samplers } from "./samplers/index.ts";
import type { SamplerOptions } from "./samplers/sampler.ts";
import { configurations, sizeOf } from "./space/configurations.ts";
import { checkSpace, checkValues, keyOf, type Space, type Values } from "./space/space.ts";
import { isMeasured, type Measured, type Trial, violationOf } from "./trial.ts";

/** What a search is made with. */
export interface StudyOptions extends SamplerOptions {
  /** TPE unless told. */
  readonly sampler?: SamplerName;
  /** Trials of an earlier search of this space. */
  readonly trials?: readonly Trial[];
  /** Numbers of trials that it began and that may be asked for under them: others get none of these. */
  readonly begun?: readonly number[];
}

/** What became of a trial. */
export type Outcome = Pick<Trial, "state" | "objectives" | "violations" | "compute" | "rungs">;

/** A search. */
export interface Study {
  readonly trials: readonly Trial[];
  /**
   * The next configuration, as a running trial; undefined where all of the space was tried. `values` are
   * tried in place of what the sampler would ask for, under the number that they had in an earlier process
   * where one is given; the sampler asks for nothing that `except` holds for. Throws ConfigError where they
   * are
   * not of the space, and for a number that is taken.
   */
  ask(values?: Values, number?: number, except?: (values: Values) => boolean): Trial | undefined;
  /** Ends a trial. Throws ConfigError for one that is not running, or objectives of another number. */
  tell(number: number, outcome: Outcome): Trial;
  /** The complete trials that keep all constraints and that no other dominates. */
  front(): readonly Measured[];
}

/** Configurations of a sampler that are looked at before one that was not tried is taken as it comes. */
const LOOKED_AT = 200;
/** Spaces of up to so many configurations are known whole, so that none is tried twice. */
const COUNTED = 65_536;

/** The first of `offered` that was not tried; of a space that is known whole any other, at random. */
const untried = (
  space: Space,
  offered: Iterable<Values>,
  isTried: (values: Values) => boolean,
  seed: number,
): Values | undefined => {
  let [looked, last] = [0, undefined as Values | undefined];
  for (const values of offered) {
    if (!isTried(values)) return values;
    last = values;
    if (++looked >= LOOKED_AT) break;
  }
  if (sizeOf(space, COUNTED + 1) > COUNTED) return last;
  const rest = Array.from(configurations(space)).filter((values) => !isTried(values));
  return rest[permutation(rest.length, seed, `untried ${rest.length}`)[0] ?? 0];
};

/** The trials that keep all constraints and that no other dominates. */
export const frontTrials = (trials: readonly Trial[]): Measured[] => {
  const sound = trials.filter(isMeasured).filter((t) => violationOf(t) === 0);
  const front = new Set(frontOf(sound.map(({ objectives }) => objectives)));
  return sound.filter(({ objectives }) => front.has(objectives));
};

const checkOutcome = (trial: Trial | undefined, outcome: Outcome, axes: number | undefined): void => {
  const refuse = (what: string, hint: string) => new ConfigError(what, { field: "trial", hint });
  if (trial?.state !== "running")
    throw refuse("is not running", "tell what became of a trial that was asked for");
  const { objectives } = outcome;
  if (outcome.state !== "complete") return;
  if (objectives === undefined || (axes !== undefined && objectives.length !== axes)) {
    const had = `${objectives?.length ?? 0} objectives, where ${axes ?? "some"} are expected`;
    throw refuse(had, "give the same figures for each trial; a trial without them has failed");
  }
};

/** A search of `space`. Throws ConfigError for a space, or trials, that cannot be. */
export const study = (space: Space, options: StudyOptions = {}): Study => {
  const { sampler = "tpe", seed = 1, trials: earlier = [], begun = [], ...more } = options;
  checkSpace(space);
  for (const { values } of earlier) checkValues(space, values);
  const suggest = samplers[sampler](space, { ...more, seed });
  const trials: Trial[] = [...earlier];
  const axes = (): number | undefined => trials.find(isMeasured)?.objectives.length;
  return {
    trials,
    ask(given, had, except = () => false) {
      if (given !== undefined) checkValues(space, given);
      if (trials.some((trial) => trial.number === had)) {
        throw new ConfigError("is taken", { field: `trial.${had}`, hint: "ask without a number" });
      }
      const numbers = [...begun, ...trials.map((t) => t.number)];
      const number = had ?? numbers.reduce((most, n) => Math.max(most, n + 1), 0);
      const tried = new Set(trials.map(({ values }) => keyOf(values)));
      const isTried = (values: Values): boolean => tried.has(keyOf(values)) || except(values);
      const values = given ?? untried(space, suggest(number, projected(trials)), isTried, seed);
      if (values === undefined) return undefined;
      const trial: Trial = { number, values, state: "running" };
      trials.push(trial);
      return trial;
    },
    tell(number, outcome) {
      const at = trials.findIndex((t) => t.number === number);
      checkOutcome(trials[at], outcome, axes());
      const { values } = trials[at]!;
      const finite = outcome.state !== "complete" || outcome.objectives!.every(Number.isFinite);
      trials[at] = { number, values, ...outcome, ...(finite ? {} : { state: "failed" as const }) };
      return trials[at]!;
    },
    front: () => frontTrials(trials),
  };
};
