/**
 * What processes of a search tell each other by Redis, where others may write: of known shape and size. Here
 * is what all searches tell, and what their own messages are made of.
 */
import { z } from "zod";
import { MOST_FILES, type Sending, type SentFile } from "../../node/redis/files.ts";

/** What is searched, as the owner of a queue says it. */
export interface Told {
  /** Names the search of a folder, and no other. */
  readonly study: string;
  readonly material: unknown;
}

/** Words of a length. */
export const text = (most: number) => z.string().max(most);
/** The number of a trial. */
export const number = z.int().min(0).max(1e6);
const scalar = z.union([text(1000), z.number(), z.boolean()]);
/** The values of a trial. */
export const values = z.record(text(200), scalar).refine((all) => Object.keys(all).length <= 200);

/** The files of a job, as they were sent. */
export const filesOf = ({ isSent, most }: Sending): z.ZodType<SentFile[]> => {
  const file = z.strictObject({
    name: text(120).refine(isSent),
    sizeBytes: z.int().min(0).max(most),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  });
  return z
    .array(file)
    .max(MOST_FILES)
    .refine((files) => files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= most);
};

/** What a schema makes of a value; undefined where that is none of it. */
export const parsed = <T>(schema: z.ZodType<unknown>, value: unknown): T | undefined => {
  const { success, data } = schema.safeParse(value);
  return success ? (data as T) : undefined;
};

/** What JSON says; undefined where it is none. */
export const json = (words: string): unknown => {
  try {
    return JSON.parse(words);
  } catch {
    return undefined;
  }
};

const told = z.strictObject({ study: z.uuid(), material: z.unknown() });

/** What is searched; undefined where `words` do not say so. */
export const toldOf = (words: string): Told | undefined => parsed(told, json(words));

/** The name of a trial's job. */
export const jobOf = (study: string, trial: number): string => `${study}-${trial}`;
