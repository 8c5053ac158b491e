/**
 * What processes of a search for candidates tell each other by Redis, where others may write: of known shape
 * and size. Numbers may be none that JSON has, so that what holds them travels as a text like that of the
 * search's log.
 */
import { z } from "zod";
import type { Sending, SentFile } from "../../../node/redis/files.ts";
import type { Job, Made } from "../../../search/candidates/makers.ts";
import type { Trial } from "../../../search/trial.ts";
import { filesOf, number, parsed, text, values } from "../../redis/messages.ts";
import { read, written } from "../store.ts";

/** Of a dense model: what makes it whole, and its weights. */
export const denseFiles: Sending = {
  isSent: (name) =>
    /^(base\.json|model(-\d{5}-of-\d{5})?\.safetensors|model\.safetensors\.index\.json)$/.test(name),
  most: 2 ** 30,
};

/** What became of a job. */
export interface Came {
  readonly made: Made;
  /** The model's files, as they were sent; none where there is none, undefined where they were not sent. */
  readonly files?: readonly SentFile[];
}

/** Characters of a message, and of what went wrong. */
const [LENGTH, ERROR] = [2 ** 26, 10_000];

const figure = z.custom<number>((value) => typeof value === "number");
const amount = z.number().min(0);
const point = z.array(figure).max(8);
const points = z.array(point).max(1000);

const watched = z.strictObject({ quality: figure, mean: figure, costs: point, work: figure });
const job = z.strictObject({
  ...{ number, values, watched: watched.optional() },
  leftMs: z.number().optional(),
});

const row = z.object({
  ...{ step: z.number(), loss: figure.optional(), valLoss: figure.optional(), figure: figure.optional() },
  ...{ lr: figure.optional(), gradNorm: figure.optional(), tokens: figure.optional() },
  event: text(1000).optional(),
});
const made = z.strictObject({
  ...{ stopped: z.boolean(), rungs: points, rows: z.array(row).max(1e6) },
  ...{ lateMs: amount.optional(), pace: z.strictObject({ updateMs: amount, work: figure }).optional() },
  error: text(ERROR).optional(),
});
const came = z.strictObject({ made: text(LENGTH), files: filesOf(denseFiles).optional() });

const trial = z.strictObject({
  ...{ number, values, state: z.enum(["running", "complete", "pruned", "failed"]) },
  ...{ objectives: point.optional(), rungs: points.optional(), compute: amount.optional() },
  violations: z.array(figure).max(100).optional(),
});

const said = (words: unknown): unknown => {
  try {
    return typeof words === "string" ? read(words) : undefined;
  } catch {
    return undefined;
  }
};

/** A job that is asked for; undefined where `words` are none. */
export const jobSaid = (words: unknown): Job | undefined => parsed(job, said(words));

/** What became of a job, to be told. */
export const toldCame = ({ made: { error, ...more }, files }: Came): unknown => ({
  made: written({ ...more, ...(error === undefined ? {} : { error: error.slice(0, ERROR) }) }),
  ...(files === undefined ? {} : { files }),
});

/** What became of a job; undefined where `value` does not say so. */
export const cameOf = (value: unknown): Came | undefined => {
  const found = parsed<{ readonly made: string; readonly files?: readonly SentFile[] }>(came, value);
  const own = found === undefined ? undefined : parsed<Made>(made, said(found.made));
  return own === undefined ? undefined : { ...found, made: own };
};

/** A trial as others compare theirs with it, as a line. */
export const trialLine = ({ number, values, state, objectives, violations, compute, rungs }: Trial): string =>
  written({ number, values, state, objectives, violations, compute, rungs });

/** The trial of a line; undefined where it is none. */
export const trialSaid = (words: string): Trial | undefined => parsed(trial, said(words));

const base = z.object({
  ...{ config: z.record(z.string(), z.unknown()), history: z.array(z.unknown()) },
  ...{ files: z.array(z.string()).min(1), rungs: points },
});

/** Whether what is said of a dense model that was sent names none but its own files. */
export const isWhole = (words: string, files: readonly SentFile[]): boolean => {
  const found = parsed<{ readonly files: readonly string[] }>(base, said(words));
  return found?.files.every((name) => files.some((file) => file.name === name)) ?? false;
};
