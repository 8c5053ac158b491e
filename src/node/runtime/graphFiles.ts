/**
 * The files of a graph, which may come from anywhere: a runtime that is given a path opens what the graph
 * names, so that all of it is checked before, as a model's weights are.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type ByteSource, externalFiles } from "../../formats/onnx/externalFiles.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { findFile } from "../model/modelFile.ts";

/** Bytes that are read at a time. */
const PAGE = 2 ** 16;

/** The bytes of an open file, a page of them in memory. */
const pages = (fd: number): ByteSource => {
  const { size } = fstatSync(fd);
  let page = new Uint8Array(0);
  let from = 0;
  return {
    size,
    bytes(start, end) {
      if (start < from || end > from + page.length) {
        page = new Uint8Array(Math.max(PAGE, end - start));
        from = start;
        page = page.subarray(0, readSync(fd, page, 0, page.length, start));
      }
      return page.subarray(start - from, end - from);
    },
  };
};

/** The folder of the model that a graph is of, and the graph's folder in it. */
const placeOf = (file: string): { readonly dir: string; readonly folder: string } => {
  const folder = dirname(resolve(file));
  return basename(folder) === "onnx" ? { dir: dirname(folder), folder: "onnx" } : { dir: folder, folder: "" };
};

/**
 * Checks the graph at `file` and all that it names. Throws DataError where it is not there, FormatError for a
 * link that leaves the model's folder and for a graph that names files outside of it, that are not there, or
 * that have a second name somewhere (a hard link: raw weights have no form, any file can be read as such).
 */
export const checkGraphFiles = async (file: string): Promise<void> => {
  const { dir, folder } = placeOf(file);
  const path = await findFile(dir, join(folder, basename(file)));
  if (path === undefined) throw new DataError("cannot be read (ENOENT)", { file });
  const fd = openSync(path, "r");
  let locations: string[];
  try {
    locations = externalFiles(pages(fd), file);
  } finally {
    closeSync(fd);
  }
  for (const location of locations) {
    const beside = await findFile(dir, join(folder, location));
    if (beside === undefined) {
      throw new FormatError(`has weights in ${JSON.stringify(location)}, which is not there`, { file });
    }
    if ((await stat(beside)).nlink === 1) continue;
    throw new FormatError("is a hard link: it is also a file somewhere else", {
      file: join(dir, folder, location),
      hint: "copy the file itself into the folder, if you trust what it is",
    });
  }
};

/** Checks a graph that is in memory. Throws FormatError where it names a file: there is none beside it. */
export const checkGraphBytes = (bytes: Uint8Array): void => {
  const source = { size: bytes.length, bytes: (from: number, to: number) => bytes.subarray(from, to) };
  const [location] = externalFiles(source);
  if (location === undefined) return;
  throw new FormatError(`has weights in the external file ${JSON.stringify(location)}, which was not given`);
};
