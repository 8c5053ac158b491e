/**
 * NSGA-II (Deb et al. 2002, https://doi.org/10.1109/4235.996017) with constrained dominance: generations of
 * which the best are parents of the next. Values are crossed one by one, as Optuna does; a mutation moves a
 * value a little where values have an order, and draws a new one where they have none.
 */
import { type Rng, rng } from "../../util/rng.ts";
import { crowding, nonDominatedSort } from "../front/sort.ts";
import { decided, type Param, type Scalar, type Space, type Values } from "../space/space.ts";
import { fromUnit, toUnit } from "../space/unit.ts";
import { isMeasured, type Measured, type Trial, violationOf } from "../trial.ts";
import { quasiRandom } from "./quasiRandom.ts";
import type { MakeSampler, SamplerOptions } from "./sampler.ts";

/** How many trials are a generation. */
const POPULATION = 16;
const CROSSOVER = 0.9;

/**
 * The `size` best of trials, best first: those that keep the constraints by front and by how lonely they are,
 * then the others by how far they are beyond.
 */
export const fittest = (trials: readonly Measured[], size: number): Measured[] => {
  const sound = trials.filter((t) => violationOf(t) === 0);
  const order: Measured[] = [];
  for (const front of nonDominatedSort(sound.map(({ objectives }) => objectives))) {
    const lonely = crowding(front.map((i) => sound[i]!.objectives));
    const byRoom = front.map((_, k) => k).sort((a, b) => lonely[b]! - lonely[a]! || a - b);
    order.push(...byRoom.map((k) => sound[front[k]!]!));
  }
  const broken = trials.filter((t) => violationOf(t) > 0).sort((a, b) => violationOf(a) - violationOf(b));
  return [...order, ...broken].slice(0, size);
};

/** The parents of generation `generation`, by all trials of those before it. */
const parentsOf = (generation: number, trials: readonly Trial[], population: number): Measured[] => {
  let parents: Measured[] = [];
  for (let g = 0; g < generation; g++) {
    const own = trials.filter((t) => Math.floor(t.number / population) === g).filter(isMeasured);
    parents = fittest([...parents, ...own], population);
  }
  return parents;
};

const mutated = (param: Param, value: Scalar, random: Rng): Scalar => {
  if (param.kind === "categorical" && !param.ordered) return fromUnit(param, random.uniform());
  const at = toUnit(param, value) + 0.2 * random.normal();
  return fromUnit(param, Math.min(1 - 1e-12, Math.max(0, at)));
};

const childOf = (space: Space, parents: readonly Measured[], random: Rng): Values => {
  // Parents stand best first: of two that are drawn, the earlier one wins.
  const tournament = (): Values =>
    parents[Math.min(random.int(parents.length), random.int(parents.length))]!.values;
  const [mother, father] = [tournament(), tournament()];
  const crosses = random.uniform() < CROSSOVER;
  const rate = 1 / Object.keys(space).length;
  return decided(space, (name, param) => {
    const other = crosses && random.uniform() < 0.5;
    const inherited = other ? (father[name] ?? mother[name]) : (mother[name] ?? father[name]);
    if (inherited === undefined) return fromUnit(param, random.uniform());
    return random.uniform() < rate ? mutated(param, inherited, random) : inherited;
  });
};

/** NSGA-II; `startup` is the size of a generation. */
export const nsga2: MakeSampler = (space, { seed = 1, startup = POPULATION }: SamplerOptions = {}) => {
  const first = quasiRandom(space, { seed });
  return (number, trials) => {
    const parents = parentsOf(Math.floor(number / startup), trials, startup);
    if (parents.length === 0) return first(number, trials);
    return {
      *[Symbol.iterator]() {
        const random = rng(seed, `nsga2 ${number}`);
        for (;;) yield childOf(space, parents, random);
      },
    };
  };
};
