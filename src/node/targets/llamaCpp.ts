/**
 * llama.cpp as a target, by the prebuilt binaries of node-llama-cpp
 * (https://github.com/withcatai/node-llama-cpp), which nothing else here needs: each GGUF file in a process of
 * its own, on the processor. Nothing is downloaded and nothing compiled.
 */
import { MissingError, RunError } from "../../util/errors.ts";
import { optionalPath } from "../files/optional.ts";
import { inLlama } from "./llama/jobs.ts";
import type { Artifact, Place, PlaceOptions, Target } from "./target.ts";

/** Longest that loading the package may take, milliseconds. */
const CHECK_MS = 60_000;

const NAME = "node-llama-cpp";

/** Name and version. Throws MissingError where the package has no binary that works on this machine. */
const engineOf = async (library: string): Promise<string> => {
  try {
    const { engine } = await inLlama(
      { kind: "check", library, file: "", threads: 1 },
      { timeoutMs: CHECK_MS },
    );
    return engine;
  } catch (cause) {
    if (!(cause instanceof RunError)) throw cause;
    throw new MissingError(`${NAME} has no binary that works on this machine (${cause.message})`, {
      cause,
      hint: `npm install ${NAME} with optional dependencies, where it has one prebuilt for this platform`,
    });
  }
};

const placeOf = (library: string, { threads, timeoutMs }: PlaceOptions): Place => {
  const end = new AbortController();
  const options = { timeoutMs, signal: end.signal };
  const at = ({ graphs }: Artifact) => ({ library, threads, file: graphs.model! });
  return {
    trial: (artifact, reference) => inLlama({ kind: "trial", ...at(artifact), reference }, options),
    probe: (artifact, probed) => inLlama({ kind: "probe", ...at(artifact), probed }, options),
    score: (artifact, rows, onBatch) =>
      inLlama({ kind: "score", ...at(artifact), rows }, { ...options, onBatch }),
    write: (artifact, continuing) => inLlama({ kind: "write", ...at(artifact), ...continuing }, options),
    close: async () => end.abort(),
  };
};

/** llama.cpp on the processor. */
export const llamaTarget = (title: string): Target => ({
  title,
  format: "gguf",
  async open(options) {
    const library = optionalPath(NAME);
    return { ...placeOf(library, options), engine: await engineOf(library) };
  },
});
