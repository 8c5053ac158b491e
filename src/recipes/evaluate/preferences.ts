/**
 * Decoders on preferences: how far the answer that is preferred gains more than the other, over the model
 * that was untouched.
 */
import type { Session } from "../../engine/engine.ts";
import { readerOf } from "../../evaluate/parity/reader.ts";
import { saidTokens } from "../../evaluate/said.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { proportion } from "../../metrics/proportion.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { Example } from "../../tasks/records.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Asked, Evaluator } from "./evaluation.ts";
import { type LabelledRecord, labelledRecords } from "./records.ts";
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

const pairOf = async (session: Session, { parts }: Example): Promise<readonly [number, number]> => [
  await logProb(session, parts.ids!, parts.labels!),
  await logProb(session, parts.otherIds!, parts.otherLabels!),
];

/** Log-probabilities of both answers of each record by the graph at `path`. */
const pairsBy = async (
  { engine, hooks }: Asked,
  path: string,
  records: readonly LabelledRecord[],
): Promise<(readonly [number, number])[]> => {
  const session = await loadAsIs(engine, path);
  const progress = hooks.ui.task("measuring", records.length);
  const pairs: (readonly [number, number])[] = [];
  try {
    for (const { example } of records) {
      hooks.signal?.throwIfAborted();
      pairs.push(await pairOf(session, example));
      progress.update(pairs.length);
    }
  } finally {
    await session.dispose();
  }
  progress.done(`measured ${pairs.length} pairs`);
  return pairs;
};

/** Share of the pairs whose preferred answer gains more, and by how much, beta times nats. */
export const preferences: Evaluator = {
  takes: ["limit", "reference"],
  async measure(asked) {
    const { subject, given, options, engine } = asked;
    const { reference } = given;
    if (reference === undefined) {
      throw new ConfigError("names no model", {
        field: "reference",
        hint: "name the model that was untouched with --reference",
      });
    }
    const all = await labelledRecords(asked);
    const records = all.slice(0, given.limit ?? all.length);
    const own = await pairsBy(asked, subject.graphs.model!, records);
    const hub = asked.hooks.hub === undefined ? {} : { hub: asked.hooks.hub };
    const untouched = await named(reference, { ...hub, dtype: subject.dtype });
    const others = await withGraphs(engine, untouched, ({ graphs }) =>
      pairsBy(asked, graphs.model!, records),
    );
    const margins = own.map(([c, r], i) => options.task.beta * (c - others[i]![0] - (r - others[i]![1])));
    return {
      measuredOn: `${records.length} pairs, over ${reference}`,
      figures: {
        rewardAccuracy: proportion(margins.filter((margin) => margin > 0).length, margins.length),
        rewardMargin: bootstrapMean(margins),
      },
    };
  },
};
