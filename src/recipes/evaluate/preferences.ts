/**
 * Decoders on preferences: how far the answer that is preferred gains more than the other, or good answers
 * more than others, over the model that was untouched.
 */
import type { Session } from "../../engine/engine.ts";
import { readerOf } from "../../evaluate/parity/reader.ts";
import { saidTokens } from "../../evaluate/said.ts";
import { bootstrap, bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { Example } from "../../tasks/records.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Asked, Evaluator } from "./evaluation.ts";
import { type LabelledRecord, labelledRecords } from "./records.ts";
import { ofMean } from "./scored.ts";
import { named, withGraphs } from "./subject.ts";

/** The log-probability of the learnt tokens, nats. */
const logProb = async (
  session: Session,
  ids: ArrayLike<number>,
  labels: ArrayLike<number>,
): Promise<number> => {
  const reader = readerOf({ model: session });
  await reader.start();
  const logits = await reader.read(Array.from(ids), 0);
  return saidTokens(logits, labels).reduce((sum, { nats }) => sum - nats, 0);
};

/** Of a pair both answers, of a single answer that one. */
const rowsOf = (
  { parts }: Example,
  pairs: boolean,
): readonly (readonly [ArrayLike<number>, ArrayLike<number>])[] => [
  [parts.ids!, parts.labels!],
  ...(pairs ? [[parts.otherIds!, parts.otherLabels!] as const] : []),
];

/** Log-probabilities of the answers of each record by the graph at `path`. */
const answersBy = async (
  { engine, hooks }: Asked,
  path: string,
  { records, pairs }: { readonly records: readonly LabelledRecord[]; readonly pairs: boolean },
): Promise<number[][]> => {
  const session = await loadAsIs(engine, path);
  const progress = hooks.ui.task("measuring", records.length);
  const all: number[][] = [];
  try {
    for (const { example } of records) {
      hooks.signal?.throwIfAborted();
      const own: number[] = [];
      for (const [ids, labels] of rowsOf(example, pairs)) own.push(await logProb(session, ids, labels));
      all.push(own);
      progress.update(all.length);
    }
  } finally {
    await session.dispose();
  }
  progress.done(`measured ${all.length} records`);
  return all;
};

/** Some records, and beta times what the model gained for each of their answers over the untouched one. */
const gains = async (asked: Asked, pairs: boolean) => {
  const { subject, given, options, engine, hooks, referenceAdapters = [] } = asked;
  const { reference } = given;
  if (reference === undefined) {
    throw new ConfigError("names no model", {
      field: "reference",
      hint: "name the model that was untouched with --reference",
    });
  }
  const all = await labelledRecords(asked);
  const records = all.slice(0, given.limit ?? all.length);
  const own = await answersBy(asked, subject.graphs.model!, { records, pairs });
  const hub = hooks.hub === undefined ? {} : { hub: hooks.hub };
  const how = { ...hub, dtype: subject.dtype, adapters: referenceAdapters };
  const others = await withGraphs(engine, await named(reference, how), ({ graphs }) =>
    answersBy(asked, graphs.model!, { records, pairs }),
  );
  const { beta } = options.task;
  return { records, gains: own.map((row, i) => row.map((x, k) => beta * (x - others[i]![k]!))) };
};

const textsOf = ({ texts, example }: LabelledRecord, { subject }: Asked): readonly string[] =>
  texts.length > 0 ? texts : [subject.tokenizer.decode(Array.from(example.parts.ids!))];

/** Share of the pairs whose preferred answer gains more, and by how much, beta times nats. */
export const preferences: Evaluator = {
  takes: ["limit", "reference"],
  compares: true,
  async measure(asked) {
    const { records, gains: all } = await gains(asked, true);
    const margins = all.map(([chosen, rejected]) => chosen! - rejected!);
    return {
      measuredOn: `${records.length} pairs, over ${asked.given.reference}`,
      figures: {
        rewardAccuracy: proportion(margins.filter((margin) => margin > 0).length, margins.length),
        rewardMargin: bootstrapMean(margins),
      },
      scored: ofMean(
        margins.map((margin) => Number(margin > 0)),
        {
          ...{ name: "reward accuracy", better: "more", example: "pair" },
          keys: records.map(({ id }) => id),
        },
      ),
      said: {
        kind: "preferences",
        all: records.map((record, i) => ({
          ...{ id: record.id, texts: textsOf(record, asked), margin: margins[i]! },
        })),
      },
    };
  },
};

/** How often a good answer gains more than another, over all pairs of the two by weights; a tie is half. */
const winsOf = (rewards: readonly number[], good: readonly boolean[], weights: Uint32Array): number => {
  let [wins, pairs] = [0, 0];
  for (const [i, reward] of rewards.entries()) {
    if (!good[i]) continue;
    for (const [j, other] of rewards.entries()) {
      if (good[j]) continue;
      const weight = weights[i]! * weights[j]!;
      pairs += weight;
      wins += weight * (reward > other ? 1 : reward === other ? 0.5 : 0);
    }
  }
  return pairs === 0 ? 0.5 : wins / pairs;
};

/**
 * Single answers: how often a good one gains more than another, and what both gain on average, beta times
 * nats.
 */
export const judgedAnswers: Evaluator = {
  takes: ["limit", "reference"],
  compares: true,
  async measure(asked) {
    const { records, gains: all } = await gains(asked, false);
    const rewards = all.map(([own]) => own!);
    const good = records.map(({ example }) => example.parts.desirable![0] === 1);
    const of = (kind: boolean): number[] => rewards.filter((_, i) => good[i] === kind);
    const means = [
      ["rewardOfGood", of(true)],
      ["rewardOfOthers", of(false)],
    ] as const;
    return {
      measuredOn: `${records.length} answers, over ${asked.given.reference}`,
      figures: {
        rewardAccuracy: bootstrap(rewards.length, (weights) => winsOf(rewards, good, weights), {
          resamples: 200,
        }),
        ...Object.fromEntries(
          means.flatMap(([name, some]) => (some.length > 0 ? [[name, bootstrapMean(some)]] : [])),
        ),
      },
      said: {
        kind: "preferences",
        all: records.map((record, i) => ({
          ...{ id: record.id, texts: textsOf(record, asked) },
          ...{ margin: rewards[i]!, good: good[i]! },
        })),
      },
    };
  },
};
