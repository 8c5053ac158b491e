/**
 * Decoders on instructions and chats: how probable they find what the assistant is to say, and, where
 * predictions are asked for, what they say themselves.
 */
import { readerOf } from "../../evaluate/parity/reader.ts";
import { saidTokens } from "../../evaluate/said.ts";
import { bootstrapSums } from "../../metrics/bootstrap.ts";
import { bleu } from "../../metrics/text/bleu.ts";
import { chrf } from "../../metrics/text/chrf.ts";
import { exactMatch } from "../../metrics/text/exactMatch.ts";
import { rougeL } from "../../metrics/text/rougeL.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import { decoderOf } from "../../serve/decode/decoding.ts";
import { generate } from "../../serve/decode/generate.ts";
import type { Asked, Evaluator, Prediction } from "./evaluation.ts";
import { type LabelledRecord, labelledRecords } from "./records.ts";
import { bitsPerByteOf, type SaidToken } from "./scored.ts";

/** Most tokens of an answer that the model gives. */
const LONGEST = 256;
/** Answers that are generated unless told, and the least that figures are made of. */
const ANSWERS = 100;
const FIGURES = 5;

type Session = Awaited<ReturnType<typeof loadAsIs>>;

/** The learnt tokens of each record. */
const lossesOf = async (
  { hooks }: Asked,
  session: Session,
  records: readonly LabelledRecord[],
): Promise<SaidToken[][]> => {
  const reader = readerOf({ model: session });
  const progress = hooks.ui.task("measuring", records.length);
  const rows: SaidToken[][] = [];
  for (const { example } of records) {
    hooks.signal?.throwIfAborted();
    await reader.start();
    const logits = await reader.read(Array.from(example.parts.ids!), 0);
    rows.push(saidTokens(logits, example.parts.labels!));
    progress.update(rows.length);
  }
  progress.done(`measured ${rows.length} records`);
  return rows;
};

/** Where the last answer begins, and what it is, without the token that ends it. */
const lastAnswer = ({
  example,
}: LabelledRecord): { readonly start: number; readonly ids: readonly number[] } => {
  const { labels } = example.parts;
  const all = Array.from(labels!);
  let start = all.length - 1;
  while (start > 0 && all[start - 1]! >= 0) start--;
  return { start, ids: all.slice(start) };
};

/** What the model says itself where the last answer of a record stands. */
const predictionOf = async (
  { subject }: Asked,
  session: Session,
  record: LabelledRecord,
): Promise<Prediction> => {
  const { tokenizer, arch, config, generation } = subject;
  const { start, ids } = lastAnswer(record);
  const prompt = Array.from(record.example.parts.ids!).slice(0, start + 1);
  const decoder = decoderOf(session, arch.cache(config));
  const { stopIds: own } = generation;
  const stopIds = own.length > 0 ? own : [tokenizer.eos];
  const made: number[] = [];
  const how = { maxTokens: Math.min(LONGEST, 2 * ids.length + 16), temperature: 0, stopIds };
  for await (const id of generate(decoder, prompt, how)) made.push(id);
  const text = (some: readonly number[]) => tokenizer.decode(some).trim();
  return {
    id: record.id,
    input: tokenizer.decode(prompt, { keepSpecial: true }),
    ...{ reference: text(ids), prediction: text(made) },
  };
};

const predictionsOf = async (asked: Asked, session: Session, records: readonly LabelledRecord[]) => {
  const some = records.slice(0, asked.given.limit ?? ANSWERS);
  const progress = asked.hooks.ui.task("answering", some.length);
  const predictions: Prediction[] = [];
  for (const record of some) {
    asked.hooks.signal?.throwIfAborted();
    predictions.push(await predictionOf(asked, session, record));
    progress.update(predictions.length);
  }
  progress.done(`answered ${some.length} records`);
  const [said, right] = [
    predictions.map(({ prediction }) => String(prediction)),
    predictions.map(({ reference }) => String(reference)),
  ];
  return {
    predictions,
    figures:
      some.length < FIGURES
        ? {}
        : {
            exactMatch: exactMatch.measure(said, right),
            bleu: bleu().measure(said, right),
            chrf: chrf().measure(said, right),
            rougeL: rougeL().measure(said, right),
          },
  };
};

/**
 * Loss and perplexity of answers; with predictions exact match, BLEU, chrF and ROUGE-L of those that the
 * model gives.
 */
export const answers: Evaluator = {
  takes: ["limit", "predictions"],
  writes: true,
  async measure(asked) {
    const { engine, subject, given } = asked;
    const all = await labelledRecords(asked);
    const session = await loadAsIs(engine, subject.graphs.model!);
    try {
      const said = await lossesOf(asked, session, all);
      const rows = said.map((some) => [some.reduce((sum, { nats }) => sum + nats, 0), some.length]);
      const tokens = rows.reduce((sum, [, n]) => sum + n!, 0);
      const wanted = given.predictions !== undefined || given.report !== undefined;
      const own = wanted ? await predictionsOf(asked, session, all) : undefined;
      return {
        measuredOn: `${tokens} tokens of ${all.length} records`,
        figures: {
          natsPerToken: bootstrapSums(rows, ([nats, n]) => nats! / n!),
          perplexity: bootstrapSums(rows, ([nats, n]) => Math.exp(nats! / n!)),
          ...own?.figures,
        },
        scored: bitsPerByteOf(said, subject.tokenizer, {
          ...{ keys: all.map(({ id }) => id), example: "record" },
        }),
        ...(own === undefined ? {} : { predictions: own.predictions }),
      };
    } finally {
      await session.dispose();
    }
  },
};
