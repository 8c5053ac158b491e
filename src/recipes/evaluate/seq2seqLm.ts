/**
 * Encoder-decoders: how probable they find right targets, and how near to these is what they write; on
 * running text, how probable they find the spans that are taken out of it.
 */
import type { Session } from "../../engine/engine.ts";
import { readerOf } from "../../evaluate/parity/reader.ts";
import { saidTokens } from "../../evaluate/said.ts";
import { bootstrapSums } from "../../metrics/bootstrap.ts";
import type { Measured } from "../../metrics/metric.ts";
import { bleu } from "../../metrics/text/bleu.ts";
import { chrf } from "../../metrics/text/chrf.ts";
import { rougeL } from "../../metrics/text/rougeL.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";
import type { HeldOut } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { permutation } from "../../util/rng.ts";
import { encodedPairs, heldOutFiles, heldOutPairs, type Pair, pairsIn } from "../data/pairs.ts";
import { holdsPairs } from "../data/read.ts";
import { translatorOf } from "../generate/translate.ts";
import type { Asked, Evaluator, Prediction, Quality } from "./evaluation.ts";
import { ints, readTokens, rowsOf, saidCount, textMaterial } from "./heldOut.ts";
import { bitsPerByteOf, ofSums, type SaidToken } from "./scored.ts";

/** Pairs that are translated unless told. */
const PAIRS = 200;
/** Longest window of running text, tokens. */
const LONGEST = 512;

type Sessions = Readonly<Record<Exclude<GraphName, "model">, Session>>;

const positionsOf = ({ subject }: Asked): number => subject.arch.cache(subject.config).positions;

/** Nats per target token of rows; their `n` counts rows. */
const lossOn = async (
  { hooks }: Asked,
  sessions: Sessions,
  rows: HeldOut["windows"],
): Promise<{
  readonly loss: Measured;
  readonly tokens: number;
  readonly said: readonly (readonly SaidToken[])[];
}> => {
  const reader = readerOf(sessions);
  const progress = hooks.ui.task("measuring", rows.length);
  const all: SaidToken[][] = [];
  for (const row of rows) {
    hooks.signal?.throwIfAborted();
    await reader.start(ints(row, "inputIds").slice(0, readTokens(row)));
    const length = saidCount(row);
    const logits = await reader.read(ints(row, "decoderInputIds").slice(0, length), 0);
    all.push(saidTokens(logits, ints(row, "labels").slice(0, length)));
    progress.update(all.length);
  }
  const sums = all.map((said) => [said.reduce((sum, { nats }) => sum + nats, 0), said.length]);
  const tokens = all.reduce((sum, { length }) => sum + length, 0);
  progress.done(`measured ${tokens} target tokens`);
  return { loss: bootstrapSums(sums, ([nats, count]) => nats! / count!), tokens, said: all };
};

/** What the model writes for each source, as `anneal generate` does, with its chrF. */
const translate = async (
  { subject, options, hooks, given }: Asked,
  sessions: Sessions,
  pairs: readonly Pair[],
): Promise<Prediction[]> => {
  const translator = translatorOf(subject, sessions);
  const progress = hooks.ui.task("translating", pairs.length);
  const texts = await translator.runAll(
    pairs.map(({ source }) => source),
    {
      seed: options.seed,
      onDone: (done) => progress.update(done),
      ...defined({ beams: given.beams, signal: hooks.signal }),
    },
  );
  progress.done(`translated ${pairs.length} sources`);
  return pairs.map(({ id, source, target }, i) => {
    const { value: score } = chrf().measure([texts[i]!], [target], { resamples: 1 });
    return { id, input: source, reference: target, prediction: texts[i]!, score };
  });
};

/** Held-out pairs that fit the model, at most as many as are asked for, drawn by the seed. */
const chosenPairs = async (asked: Asked) => {
  const { subject, options, hooks, given, rows } = asked;
  const all = rows === undefined ? await heldOutPairs(options, hooks) : pairsIn(rows, options);
  const order = Array.from(permutation(all.length, options.seed, "evaluated pairs"));
  const drawn = order.slice(0, given.limit ?? PAIRS).map((i) => all[i]!);
  const tokens = encodedPairs(drawn, subject.tokenizer, Number.POSITIVE_INFINITY).all;
  const positions = positionsOf(asked);
  const fits = tokens.map(({ source, target }) => Math.max(source.length, target.length) <= positions);
  const left = fits.filter((fit) => !fit).length;
  if (left === drawn.length) {
    throw new DataError(`every pair has a side of more than the model's ${positions} tokens`, {
      hint: "give shorter texts",
    });
  }
  if (left > 0) hooks.ui.warn(`${left} pairs are left out: the model takes ${positions} tokens`);
  return {
    held: all.length,
    pairs: drawn.filter((_, i) => fits[i]),
    tokens: tokens.filter((_, i) => fits[i]),
  };
};

const onPairs = async (asked: Asked, sessions: Sessions): Promise<Quality> => {
  const { held, pairs, tokens } = await chosenPairs(asked);
  const longest = tokens.reduce((most, { source }) => Math.max(most, source.length), 1);
  const rows = rowsOf(
    asked,
    { kind: "pairs", train: [], validation: tokens },
    { context: longest, tokens: Number.POSITIVE_INFINITY },
  );
  const { loss, said } = await lossOn(asked, sessions, rows);
  const predictions = await translate(asked, sessions, pairs);
  const written = predictions.map(({ prediction }) => String(prediction));
  const right = pairs.map(({ target }) => target);
  return {
    measuredOn: `${pairs.length} of ${held} held-out pairs`,
    figures: {
      natsPerTargetToken: loss,
      bleu: bleu().measure(written, right),
      chrf: chrf().measure(written, right),
      rougeL: rougeL().measure(written, right),
    },
    scored: bitsPerByteOf(said, asked.subject.tokenizer, {
      ...{ keys: pairs.map(({ id }) => id), example: "pair" },
    }),
    predictions,
  };
};

const onText = async (asked: Asked, sessions: Sessions): Promise<Quality> => {
  const { subject, given } = asked;
  const wanted = 'records with "source" and "target", or "prompt" and "completion"';
  if (subject.tokenizer.idOf("<extra_id_0>") === undefined) {
    throw new DataError("the data holds no pairs of texts, and the tokenizer no <extra_id_0> to mask text", {
      hint: `give ${wanted}`,
    });
  }
  for (const field of ["limit", "predictions", "beams"] as const) {
    if (given[field] === undefined) continue;
    throw new ConfigError("has no effect on running text, of which nothing is translated", {
      field,
      hint: `leave it out, or give ${wanted}`,
    });
  }
  const context = Math.min(positionsOf(asked), LONGEST);
  const rows = rowsOf(asked, await textMaterial(asked), { context });
  const { loss, tokens, said } = await lossOn(asked, sessions, rows);
  return {
    measuredOn: `${tokens} tokens of spans taken out of held-out text`,
    figures: { natsPerTargetToken: loss },
    scored: ofSums(
      said.map((some) => [some.reduce((sum, { nats }) => sum + nats, 0), some.length]),
      {
        ...{ name: "nats per target token", better: "less", example: "text", ofTokens: true },
        keys: said.map((some, i) => `${i} ${some.map(({ id }) => id).join()}`),
      },
    ),
  };
};

/** Nats per target token; of pairs BLEU, chrF and ROUGE-L too. */
export const seq2seqLm: Evaluator = {
  takes: ["limit", "predictions", "beams"],
  async measure(asked) {
    const { engine, subject, options, rows } = asked;
    const pairs = rows !== undefined || (await holdsPairs(heldOutFiles(options) ?? options));
    const encoder = await loadAsIs(engine, subject.graphs.encoder_model!);
    const decoder = await loadAsIs(engine, subject.graphs.decoder_model_merged!);
    const sessions = { encoder_model: encoder, decoder_model_merged: decoder };
    try {
      return await (pairs ? onPairs : onText)(asked, sessions);
    } finally {
      await encoder.dispose();
      await decoder.dispose();
    }
  },
};
