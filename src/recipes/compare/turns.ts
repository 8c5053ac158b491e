/** Speed of two models in turns, so that what slows the machine for a while slows both. */
import { probeOf } from "../../evaluate/probe.ts";
import { measuredPercentile } from "../../evaluate/speed.ts";
import { type Figures, type Measured, once } from "../../metrics/metric.ts";
import { type TargetName, targets as table } from "../../node/targets/index.ts";
import type { Place } from "../../node/targets/target.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { Subject } from "../evaluate/subject.ts";

/** Longest that one measurement may take, milliseconds. */
const PATIENCE_MS = 600_000;

/** The medians of both over the turns, and of the second by the first turn by turn. */
export interface Turns {
  readonly first: Figures;
  readonly second: Figures;
  readonly ratios: Figures;
}

/** Where, how often, and by how many threads speed is measured. */
export interface TurnOptions {
  readonly targets: readonly TargetName[];
  readonly turns: number;
  readonly threads: number;
}

type Values = Readonly<Record<string, number>>;

const valuesAt = async (place: Place, subject: Subject): Promise<Values> => {
  const { figures } = await place.probe(subject, probeOf(subject, subject.tokenizer.vocabSize));
  return Object.fromEntries(Object.entries(figures).map(([name, { value }]) => [name, value]));
};

/** Turns whose ends hold the median in 95 of 100 series: of fewer nothing is known of the spread. */
const ENOUGH = 6;

const medianOf = (values: readonly number[]): Measured => {
  const median = measuredPercentile(values, 0.5);
  return values.length < ENOUGH ? { ...once(median.value), n: values.length } : median;
};

/** Medians over turns of what each turn has. */
const mediansOf = (turns: readonly Values[], target: string): Figures =>
  Object.fromEntries(
    Object.keys(turns[0] ?? {}).map((name) => {
      const values = turns.map((turn) => turn[name]!).filter(Number.isFinite);
      return [`${target}/${name}`, medianOf(values)];
    }),
  );

/** Throws MissingError for a target that is not on this machine, RunError where graphs do not run there. */
export const inTurns = async (
  [first, second]: readonly [Subject, Subject],
  { targets, turns, threads }: TurnOptions,
  { ui, signal }: RecipeHooks,
): Promise<Turns> => {
  const found: Turns[] = [];
  for (const target of turns === 0 ? [] : targets) {
    const progress = ui.task(`timing on ${target}`, turns);
    const place = await table[target].open({ threads, timeoutMs: PATIENCE_MS, software: true });
    const all: { readonly one: Values; readonly other: Values }[] = [];
    try {
      for (let turn = 0; turn < turns; turn++) {
        signal?.throwIfAborted();
        // Whoever comes second finds the machine as the first left it: they change places.
        const early = turn % 2 === 0 ? await valuesAt(place, first) : undefined;
        const other = await valuesAt(place, second);
        all.push({ one: early ?? (await valuesAt(place, first)), other });
        progress.update(all.length);
      }
    } finally {
      await place.close();
    }
    progress.done(`timed both ${turns} times on ${target}`);
    const ratio = ({ one, other }: (typeof all)[number]): Values =>
      Object.fromEntries(Object.keys(one).map((name) => [name, other[name]! / one[name]!]));
    found.push({
      first: mediansOf(
        all.map(({ one }) => one),
        target,
      ),
      second: mediansOf(
        all.map(({ other }) => other),
        target,
      ),
      ratios: mediansOf(all.map(ratio), target),
    });
  }
  const joined = (of: keyof Turns): Figures => Object.assign({}, ...found.map((each) => each[of]));
  return { first: joined("first"), second: joined("second"), ratios: joined("ratios") };
};
