/** The file that says that anneal made a folder, and which files in it are its own. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Its name. */
export const MARKER = "anneal.json";

const kinds = ["model", "run", "data", "sweep"] as const;

/** What a folder of anneal's holds: a model, a run's checkpoints and metrics, prepared data, trials. */
export type FolderKind = (typeof kinds)[number];

/** The contents of the marker file. */
export interface Marker {
  readonly kind: FolderKind;
  /** Paths below the folder of what anneal wrote there; undefined where it is not told. */
  readonly files?: readonly string[];
}

const texts = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.every((each) => typeof each === "string") ? value : undefined;

/** What the marker in `dir` says; undefined where there is none, or one of the same name that is not ours. */
export const markerOf = async (dir: string): Promise<Marker | undefined> => {
  let made: { kind?: unknown; files?: unknown; version?: unknown; history?: unknown } | null;
  try {
    made = JSON.parse(await readFile(join(dir, MARKER), "utf8"));
  } catch {
    return undefined;
  }
  if (typeof made !== "object" || made === null) return undefined;
  const lineage = typeof made.version === "string" && Array.isArray(made.history);
  const kind = kinds.find((name) => name === made.kind) ?? (lineage ? "model" : undefined);
  const files = texts(made.files);
  return kind === undefined ? undefined : { kind, ...(files === undefined ? {} : { files }) };
};
