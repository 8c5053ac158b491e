/** Loads a shipped decoding graph so that its cache is written in place (see HALT in formats/onnx/lower). */
import { access, readFile } from "node:fs/promises";
import type { Engine, Session } from "../../engine/engine.ts";
import { halting } from "../../formats/onnx/lower.ts";
import { encodeOnnx } from "../../formats/onnx/onnx.ts";
import { decodeOnnx } from "../../formats/onnx/read.ts";
import { AnnealError, DataError, FormatError } from "../../util/errors.ts";
import { checkGraphFiles } from "./graphFiles.ts";

const hint = "anneal optimize makes the folder anew from its model.safetensors";

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** A session over a graph's bytes; every output must be fetched into a tensor. */
export const loadBytes = (engine: Engine, bytes: Uint8Array, file?: string): Promise<Session> => {
  const model = halting(decodeOnnx(bytes, file === undefined ? {} : { file }));
  return engine.load(encodeOnnx(model).model, { inPlace: true });
};

/** Loads the graph at `file` by `load`. Throws FormatError where that fails, and as `checkGraphFiles`. */
const loaded = async (file: string, load: () => Promise<Session>): Promise<Session> => {
  try {
    await checkGraphFiles(file);
    return await load();
  } catch (cause) {
    if (cause instanceof AnnealError && cause.details.hint !== undefined) throw cause;
    throw new FormatError(`is no graph that can be loaded (${(cause as Error).message})`, {
      file,
      cause,
      hint,
    });
  }
};

/**
 * A session over the graph at `file`. One with weights in a file beside it is loaded as it is, and pays a
 * copy of the cache at each token. Throws DataError where it is missing, FormatError where it cannot be
 * loaded, and as `checkGraphFiles` does.
 */
export const loadGraph = async (engine: Engine, file: string): Promise<Session> => {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file, cause, hint });
  });
  return loaded(file, async () =>
    (await exists(`${file}_data`)) ? engine.load(file) : loadBytes(engine, bytes, file),
  );
};

/**
 * A session over the graph at `file` as it is, which gives all outputs. Throws FormatError where it cannot be
 * loaded, and as `checkGraphFiles` does.
 */
export const loadAsIs = (engine: Engine, file: string): Promise<Session> =>
  loaded(file, () => engine.load(file));
