/**
 * Folders that anneal writes into bit by bit, a run's and prepared data's: taken when they are empty or bear
 * its marker, so that no file of the user's is ever replaced or deleted.
 */
import { join } from "node:path";
import { foreignFiles, namesIn, writeFileDurable } from "./files.ts";
import { temporaryId } from "./leftovers.ts";
import { type FolderKind, MARKER, markerOf } from "./marker.ts";

/** Which folders may be taken for a result. */
export interface Claim {
  readonly kind: FolderKind;
  /** Names that results of this kind have: a file of such a name is the user's unless the marker has it. */
  readonly results?: RegExp;
  /** Whether a folder without a marker is an earlier version's. */
  readonly adopts?: (names: readonly string[]) => Promise<boolean>;
}

/** Notes in the marker of `dir` which files are anneal's. Throws RunError. */
export const mark = (dir: string, kind: FolderKind, files: readonly string[]): Promise<void> => {
  const text = `${JSON.stringify({ kind, files }, null, 2)}\n`;
  return writeFileDurable(join(dir, MARKER), [new TextEncoder().encode(text)]);
};

/**
 * Takes `dir` (made where missing) and returns the names of the files that anneal wrote there before. Throws
 * ConfigError naming the files of the user's that stand in the way, RunError where the folder cannot be made.
 */
export const claimFolder = async (dir: string, claim: Claim): Promise<readonly string[]> => {
  const { kind, results, adopts } = claim;
  const names = ((await namesIn(dir)) ?? []).filter((name) => temporaryId(name) === undefined);
  const marker = await markerOf(dir);
  if (marker?.kind === kind) {
    const { files = [] } = marker;
    const strangers = results === undefined ? [] : names.filter((n) => results.test(n) && !files.includes(n));
    if (strangers.length > 0) throw foreignFiles(dir, strangers);
    return files;
  }
  if (names.length > 0 && (marker !== undefined || (await adopts?.(names)) !== true)) {
    throw foreignFiles(dir, names);
  }
  await mark(dir, kind, []);
  return [];
};
