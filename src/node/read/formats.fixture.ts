/** A folder for each file of tests that imports this, and what is read of the files put there. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { Document } from "../../data/records/document.ts";
import type { DataError } from "../../util/errors.ts";
import { type ReadOptions, readDocuments } from "./read.ts";

export let dir = "";

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-formats-"));
});

afterAll(() => rm(dir, { recursive: true, force: true }));

export const put = async (name: string, data: string | Uint8Array): Promise<string> => {
  await mkdir(join(dir, name, ".."), { recursive: true });
  await writeFile(join(dir, name), data);
  return join(dir, name);
};

export const read = async (path: string, options: ReadOptions = {}): Promise<Document[]> => {
  const list: Document[] = [];
  for await (const doc of readDocuments([path], options)) list.push(doc);
  return list;
};

export const texts = async (path: string, options: ReadOptions = {}): Promise<string[]> =>
  (await read(path, options)).map(({ text }) => text);

export const failure = async (path: string, options: ReadOptions = {}): Promise<DataError> =>
  read(path, options).then(
    () => expect.unreachable("it should have failed"),
    (error) => error as DataError,
  ) as Promise<DataError>;

export const counted = async (path: string, options: ReadOptions = {}) => {
  const errors: string[] = [];
  const kept = await texts(path, { ...options, skipBadRows: true, onSkip: (e) => errors.push(e.message) });
  return { kept, errors };
};
