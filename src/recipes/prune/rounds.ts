/**
 * How a cut is divided: a round takes at most a third of anything, so that what is left learns between two of
 * them (Muralidharan et al. 2024, https://arxiv.org/abs/2407.14679). Without teaching there is one round.
 */
import { channelsOf, channelsToKeep } from "../../compress/pruning/channels.ts";
import { groupOf, unitsToKeep } from "../../compress/pruning/chooseUnits.ts";
import { type UnitKind, type Units, unitsOf } from "../../compress/pruning/units.ts";
import type { Model } from "../../models/model.ts";
import { ConfigError } from "../../util/errors.ts";
import type { PruneFolderOptions } from "./options.ts";

/** What a round leaves. */
export interface Round {
  readonly layers?: number;
  /** Channels of the hidden states that stay. */
  readonly width?: number;
  /** Units of a layer that stay; of heads, query heads. */
  readonly units: Readonly<Partial<Record<UnitKind, (own: Units) => number>>>;
}

/** The most that a round takes. */
const MOST = 1 / 3;
/** Neurons between rounds are multiples of this, as those that stay in the end are. */
const ROUND = 32;

/** From a number of things to another. */
interface Span {
  readonly from: number;
  readonly to: number;
  /** What they come in. */
  readonly step: number;
}

/** The number at the end of round `i` of `rounds`, in equal shares. */
const at = ({ from, to, step }: Span, i: number, rounds: number): number => {
  if (i === rounds) return to;
  return Math.max(to, Math.round((from * (to / from) ** (i / rounds)) / step) * step);
};

const fieldOf = ({ fields }: Units): string => Object.keys(fields)[0]!;

/** Numbers of units by the config's field, which counts those of all its layers. */
const unitSpans = (model: Model, kind: UnitKind, asked: number): ReadonlyMap<string, Span> =>
  new Map(
    unitsOf(model, kind).map((own) => {
      const [count, group] = [own.count, groupOf(own)];
      const to = unitsToKeep(asked, { kind, count, group }) * group;
      const from = count * group;
      const whole = kind === "neurons" && from % ROUND === 0 && to % ROUND === 0;
      return [fieldOf(own), { from, to, step: whole ? ROUND : group }];
    }),
  );

const layerSpan = ({ arch, config }: Model, asked: number): Span => {
  const { layers } = arch.cache(config);
  if (Number.isInteger(asked) && asked >= 1 && asked <= layers) return { from: layers, to: asked, step: 1 };
  throw new ConfigError(`must be from 1 to the model's ${layers} layers, not ${asked}`, {
    field: "prune.layers",
    hint: "choose another number with --layers",
  });
};

const widthSpan = (model: Model, asked: number): Span => {
  const [from, to] = [channelsOf(model), channelsToKeep(model, asked)];
  return { from, to, step: from % ROUND === 0 && to % ROUND === 0 ? ROUND : 1 };
};

/** Rounds that a span takes. */
const needed = ({ from, to }: Span): number =>
  Math.max(1, Math.ceil(Math.log(to / from) / Math.log(1 - MOST) - 1e-9));

/**
 * The rounds of a cut, the last of which leaves what was asked for; none where neither layers nor units go.
 * Throws ConfigError for numbers that the model has not and for families whose heads cannot be cut.
 */
export const roundsOf = (
  model: Model,
  { layers, neurons, heads, width, recover = 0 }: Omit<PruneFolderOptions, "out">,
): Round[] => {
  const depth = layers === undefined ? undefined : layerSpan(model, layers);
  const narrow = width === undefined ? undefined : widthSpan(model, width);
  const asked = Object.entries({ neurons, heads }).filter(([, value]) => value !== undefined);
  const spans = asked.map(([kind, value]) => [kind, unitSpans(model, kind as UnitKind, value!)] as const);
  const sizes = [depth, narrow].filter((span) => span !== undefined);
  const all = [...sizes, ...spans.flatMap(([, of]) => [...of.values()])];
  if (all.length === 0) return [];
  const rounds = recover > 0 ? Math.max(...all.map(needed)) : 1;
  return Array.from({ length: rounds }, (_, i) => ({
    ...(depth === undefined ? {} : { layers: at(depth, i + 1, rounds) }),
    ...(narrow === undefined ? {} : { width: at(narrow, i + 1, rounds) }),
    units: Object.fromEntries(
      spans.map(([kind, of]) => [kind, (own: Units) => at(of.get(fieldOf(own))!, i + 1, rounds)]),
    ),
  }));
};
