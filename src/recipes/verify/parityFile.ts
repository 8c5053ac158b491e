/** parity.json of a folder, and its table in the card. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { writeFileDurable } from "../../node/files/files.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";
import { type ExportDtype, graphFile } from "../../ship/onnx/dtype.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import { withParity } from "../../ship/verify/table.ts";
import type { ParityFile } from "../../ship/verify/verify.ts";
import { parseText } from "../../util/jsonText.ts";
import { sha256Of } from "./shippedFiles.ts";

const NAME = "parity.json";

/** The processor and memory of this machine, for reports. */
export const machineName = (): string => {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} cores, ${memory}`;
};

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The folder's parity.json, by target and what it is against; what is none of it is left out. */
const readParity = async (dir: string): Promise<Pick<ParityFile, "targets" | "reference">> => {
  const text = await readFile(join(dir, NAME), "utf8").catch(() => "null");
  let parsed: Partial<ParityFile> | null;
  try {
    parsed = parseText(text) as Partial<ParityFile> | null;
  } catch {
    return { targets: {} };
  }
  if (parsed?.format !== 1 || !isObject(parsed.targets)) return { targets: {} };
  const sound = Object.entries(parsed.targets).filter(
    ([, parity]) =>
      isObject(parity) && isObject(parity.dtypes) && Object.values(parity.dtypes).every(isObject),
  );
  const { reference } = parsed;
  return { targets: Object.fromEntries(sound), ...(typeof reference === "string" ? { reference } : {}) };
};

/**
 * What parity.json says of files that are the same still, those whose SHA-256 is that in `hashes`, compared
 * with the same reference.
 */
export const earlierParity = async (
  dir: string,
  hashes: Readonly<Record<string, string>>,
  against: Pick<ParityFile, "reference">,
): Promise<ParityFile["targets"]> => {
  const { targets, reference } = await readParity(dir);
  if (reference !== against.reference) return {};
  const kept = Object.entries(targets).flatMap(([target, parity]) => {
    const same = Object.entries(parity.dtypes).filter(([dtype, { sha256 }]) => sha256 === hashes[dtype]);
    return same.length === 0 ? [] : [[target, { ...parity, dtypes: Object.fromEntries(same) }] as const];
  });
  return Object.fromEntries(kept);
};

/**
 * Why a dtype of the folder should not be used on this machine's processor, and what to use instead: where
 * parity.json says that its graphs failed there, and they are the same still. Undefined where nothing is
 * known against it.
 */
export const knownFault = async (
  dir: string,
  dtype: ExportDtype,
  names: readonly GraphName[],
): Promise<string | undefined> => {
  const found = (await readParity(dir)).targets["node-cpu"]?.dtypes[dtype];
  const paths = names.map((name) => [name, join(dir, graphFile(name, dtype))] as const);
  if (found?.status !== "failed" || !paths.every(([, path]) => existsSync(path))) return undefined;
  if (found.sha256 !== undefined && found.sha256 !== (await sha256Of(Object.fromEntries(paths)))) {
    return undefined;
  }
  const why = found.reason === undefined ? "" : ` (${found.reason})`;
  const use = found.instead === undefined ? "no dtype that was tried passes" : `use --dtype ${found.instead}`;
  return `${dtype} of ${dir} fails parity on node-cpu${why}: ${use}`;
};

/** Writes parity.json, and the table into the card. */
export const saveParity = async (dir: string, file: ParityFile): Promise<void> => {
  await writeFileDurable(join(dir, NAME), [jsonBytes(file as never)]);
  const card = join(dir, "README.md");
  const text = await readFile(card, "utf8").catch(() => "");
  await writeFileDurable(card, [new TextEncoder().encode(withParity(text, file))]);
};
