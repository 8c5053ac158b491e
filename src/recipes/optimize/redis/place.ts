/** Where processes of one machine see each other that take part in a search by Redis: to rest, no more. */
import { rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The queue's name where its URL says none. */
export const QUEUE = "optimize";

/** The folder by which makers of a machine rest while its owner times something. */
export const quietPlace = (study: string): string => join(tmpdir(), `anneal-quiet-${study}`);

/** Leaves nothing there, unless another process is there. */
export const leavePlace = async (dir: string): Promise<void> => {
  for (const folder of [join(dir, "makers"), dir]) await rmdir(folder).catch(() => {});
};
