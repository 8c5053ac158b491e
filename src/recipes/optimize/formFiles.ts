/** The files that forms are measured by: the very bytes that would be shipped. */
import { rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { guarded } from "../../node/files/files.ts";
import type { Form } from "../../search/candidates/formats/format.ts";
import { ggufOf } from "../../search/candidates/formats/gguf.ts";
import type { GraphPaths } from "../../serve/graphs/graphs.ts";
import { onGraphFiles } from "./judge.ts";

/** Works on the files of a form, which are gone afterwards or later. */
export interface FormFiles {
  on<T>(form: Form, work: (graphs: GraphPaths, sizeBytes: number) => Promise<T>): Promise<T>;
}

/** Graphs, made for each work. */
export const graphFiles: FormFiles = { on: onGraphFiles };

/** How many files are kept: those of the start, of the form at hand and of one more. */
const KEPT = 3;

/** GGUF files in a folder: the last few stay, since each is judged, scored and timed. */
export const ggufFiles = (dir: string): FormFiles => {
  const kept = new Map<Form, string>();
  let count = 0;
  const fileOf = async (form: Form): Promise<string> => {
    const there = kept.get(form);
    kept.delete(form);
    const path = there ?? join(dir, `${count++}.gguf`);
    if (there === undefined) {
      for (const [old, gone] of [...kept].slice(0, Math.max(0, kept.size - KEPT + 1))) {
        kept.delete(old);
        await rm(gone, { force: true });
      }
      const { chunks } = ggufOf(form);
      await guarded("writing", path, () => writeFile(path, chunks));
    }
    kept.set(form, path);
    return path;
  };
  return {
    async on(form, work) {
      const model = await fileOf(form);
      return work({ model }, (await stat(model)).size);
    },
  };
};
