/** parity.json of a folder, and its table in the card. */
import { readFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { writeFileDurable } from "../node/files.ts";
import { jsonBytes } from "../ship/bundle.ts";
import type { ParityFile } from "../ship/verify.ts";
import { withParity } from "../ship/verifyTable.ts";
import { parseText } from "../util/jsonText.ts";

const NAME = "parity.json";

/** The processor and memory of this machine, for reports. */
export const machineName = (): string => {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  return `${cpu?.model.trim() ?? "unknown processor"}, ${cpus().length} cores, ${memory}`;
};

/** What parity.json says of files that are the same still: those whose SHA-256 is that in `hashes`. */
export const earlierParity = async (
  dir: string,
  hashes: Readonly<Record<string, string>>,
): Promise<ParityFile["targets"]> => {
  const text = await readFile(join(dir, NAME), "utf8").catch(() => "null");
  let parsed: Partial<ParityFile> | null;
  try {
    parsed = parseText(text) as Partial<ParityFile> | null;
  } catch {
    return {};
  }
  if (parsed?.format !== 1 || typeof parsed.targets !== "object") return {};
  const kept = Object.entries(parsed.targets).flatMap(([target, parity]) => {
    const same = Object.entries(parity.dtypes).filter(([dtype, { sha256 }]) => sha256 === hashes[dtype]);
    return same.length === 0 ? [] : [[target, { ...parity, dtypes: Object.fromEntries(same) }] as const];
  });
  return Object.fromEntries(kept);
};

/** Writes parity.json, and the table into the card. */
export const saveParity = async (dir: string, file: ParityFile): Promise<void> => {
  await writeFileDurable(join(dir, NAME), [jsonBytes(file as never)]);
  const card = join(dir, "README.md");
  const text = await readFile(card, "utf8").catch(() => "");
  await writeFileDurable(card, [new TextEncoder().encode(withParity(text, file))]);
};
