/** What processes of a sweep tell each other by Redis, where others may write: of known shape and size. */
import { z } from "zod";
import { type SentFile, trialFiles } from "../../../node/redis/files.ts";
import type { Values } from "../../../search/space/space.ts";
import { filesOf, json, number, parsed, text, values } from "../../redis/messages.ts";
import type { Ended, Logged } from "../log.ts";

/** A trial to be run, as its owner adds it. */
export interface Asked {
  readonly number: number;
  readonly values: Values;
  /** All others, as they stood then. */
  readonly others: readonly Logged[];
}

/** What a trial came to, as whoever ran it says. */
export interface Result {
  readonly ended: Ended;
  /** Its files, as they were sent: none where the owner sees them, undefined where they are too large. */
  readonly files?: readonly SentFile[];
}

/** JSON has no number that is not finite, and writes null. */
const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const amount = z.number().min(0);
const point = z.array(figure).max(8);

const measured = {
  objectives: point.optional(),
  rungs: z.array(point).max(64).optional(),
  error: text(10_000).optional(),
};
const judge = z.strictObject({ name: text(200), better: z.enum(["less", "more"]) });

const ended = z.strictObject({
  ...measured,
  state: z.enum(["complete", "pruned", "failed"]),
  seconds: amount,
  steps: amount,
  judge,
});
const logged = z.strictObject({
  ...measured,
  ...{ number, values, begun: z.number(), paused: z.boolean().optional() },
  state: z.enum(["running", "complete", "pruned", "failed"]),
  ...{ seconds: amount.optional(), steps: amount.optional(), judge: judge.optional() },
});
const result = z.strictObject({ ended, files: filesOf(trialFiles).optional() });
const asked = z.strictObject({ number, values, others: z.array(logged).max(100_000) });
const kept = z.strictObject({ study: z.uuid(), values, ended });

/** A trial to be run; undefined where `value` is none. */
export const askedOf = (value: unknown): Asked | undefined => parsed(asked, value);

/** What a trial came to; undefined where `value` does not say so. */
export const resultOf = (value: unknown): Result | undefined => parsed(result, value);

/** How a trial ended that could not be told. */
export interface Kept {
  readonly study: string;
  readonly values: Values;
  readonly ended: Ended;
}

/** How a trial ended that could not be told; undefined where `words` do not say so. */
export const keptOf = (words: string): Kept | undefined => parsed(kept, json(words));
