/** The file that names the search of a folder, and no other, to those that take part in it by Redis. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurable } from "../../node/files/files.ts";

const QUEUE = "queue.json";

/** The name of the search whose trials stand in a folder; undefined where it has none. */
export const studyIn = async (dir: string): Promise<string | undefined> => {
  const text = await readFile(join(dir, QUEUE), "utf8").catch(() => undefined);
  return text === undefined ? undefined : /"study":"([0-9a-f-]{36})"/.exec(text)?.[1];
};

/** Gives the search of a folder a name: a new one unless told. Throws RunError where it cannot be written. */
export const nameStudy = async (dir: string, study: string = randomUUID()): Promise<string> => {
  await writeFileDurable(join(dir, QUEUE), [Buffer.from(`${JSON.stringify({ study })}\n`)]);
  return study;
};
