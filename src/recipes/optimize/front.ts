/**
 * The points of a front as folders, OUT/trial-N each: written as soon as a point is on it, so that the best
 * so far is always there; what leaves the front is removed.
 */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { writeFileDurable, writeFolder } from "../../node/files/checkpoints.ts";
import { remove, replaces } from "../../node/files/files.ts";
import { MARKER } from "../../node/files/marker.ts";
import type { Base, BaseParity, Candidate } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import type { Standing } from "../../search/candidates/run.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import type { RunOptions } from "../config/options.ts";
import { version } from "../context/version.ts";
import type { Shipping } from "./shipping/shipping.ts";
import { trialFolder } from "./trialFolder.ts";

/** What the folders are made of besides the models. */
export interface FrontOptions {
  readonly shipping: Shipping;
  readonly options: RunOptions;
  readonly command: string;
}

/** Keeps the folders of a front. */
export interface Front {
  /** Writes the points of some bases that are on the front, and removes those that no longer are. */
  update(bases: readonly Base[], standing: Standing): Promise<void>;
  /** Writes what is missing at the end, and the last figures. */
  complete(optimized: Optimized): Promise<void>;
}

const NAME = /^trial-(\d+)$/;
const WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$|^model\.safetensors\.index\.json$/;

const manifest = ({ options, command }: FrontOptions, candidate: Candidate): unknown => {
  const { lineage, ...measured } = candidate;
  return { version, command, recipe: options, history: lineage, chosen: measured };
};

/** Keeps the folders of a front in OUT. */
export const frontIn = (given: FrontOptions): Front => {
  const { shipping, options } = given;
  // Folders that have a base's weights, by the base's dense model.
  const weighed = new Map<string, string>();
  const write = async (base: Base, candidate: Candidate, parity: BaseParity): Promise<void> => {
    const { dtype } = candidate;
    const path = trialFolder(options.out, candidate.number);
    const dense = base.name.replace(/ (gptq|fitted)$/, "");
    const other = weighed.get(dense);
    const shared = other !== undefined && existsSync(other) ? other : undefined;
    const files = shipping.folder(base, { dtype, alone: true, weights: shared === undefined });
    const judged = { [dtype]: parity[dtype]! };
    files.set("parity.json", [jsonBytes(shipping.parity(judged, files, base))]);
    files.set(MARKER, [jsonBytes(manifest(given, candidate))]);
    const names = shared === undefined ? [] : (await readdir(shared)).filter((name) => WEIGHTS.test(name));
    await writeFolder(path, files, new Map(names.map((name) => [name, join(shared!, name)])));
    weighed.set(dense, path);
  };
  const sweep = async (candidates: readonly Candidate[]): Promise<void> => {
    const kept = new Set(candidates.flatMap(({ onFront, number }) => (onFront ? [String(number)] : [])));
    for (const name of await readdir(options.out).catch(() => [])) {
      const number = NAME.exec(name)?.[1];
      if (number === undefined || kept.has(number)) continue;
      // Throws where it is none of ours.
      await replaces(join(options.out, name));
      await remove(join(options.out, name));
    }
  };
  return {
    async update(bases, { candidates, parity }) {
      for (const base of bases) {
        for (const candidate of candidates) {
          const own = candidate.base === base.name && candidate.onFront;
          if (!own || existsSync(trialFolder(options.out, candidate.number))) continue;
          await write(base, candidate, parity.get(base.name)!);
        }
      }
      await sweep(candidates);
    },
    async complete({ candidates, parity, base }) {
      for (const candidate of candidates) {
        if (!candidate.onFront) continue;
        const path = trialFolder(options.out, candidate.number);
        // Its figures are those of several processes by now.
        if (existsSync(path)) {
          await writeFileDurable(join(path, MARKER), [jsonBytes(manifest(given, candidate))]);
        } else await write(await base(candidate.base), candidate, parity.get(candidate.base)!);
      }
      await sweep(candidates);
    },
  };
};
