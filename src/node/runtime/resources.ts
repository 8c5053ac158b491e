/**
 * What a process may have of its machine: memory, disk, file handles, by the machine and by the limits that
 * containers and `ulimit` set. Asked before work begins, so that none ends without a word in the midst of it.
 */
import { readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { freemem } from "node:os";
import { dirname, resolve } from "node:path";
import { MissingError } from "../../util/errors.ts";

/** Files that may have to be open at once: the program's own modules are read side by side. */
const HANDLES = 192;

const textOf = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** A soft limit of /proc/self/limits; Infinity where there is none, or where the system does not tell. */
export const limitIn = (limits: string, name: string): number => {
  const value = new RegExp(`^${name} +(\\S+)`, "m").exec(limits)?.[1];
  return value === undefined || value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
};

/** Bytes that /proc/self/status tells of, such as VmSize. */
const bytesIn = (status: string, name: string): number =>
  1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);

/**
 * Bytes that this process may still take. Of a container's limit only what this process has counts as taken,
 * since the pages of files that count there too are given back when they are needed.
 */
export const freeMemory = (): number => {
  const [limits, status] = [textOf("/proc/self/limits"), textOf("/proc/self/status")];
  const container = process.constrainedMemory();
  return Math.min(
    freemem(),
    container > 0 ? container - process.memoryUsage.rss() : Number.POSITIVE_INFINITY,
    limitIn(limits, "Max address space") - bytesIn(status, "VmSize"),
    limitIn(limits, "Max data size") - bytesIn(status, "VmData"),
  );
};

/** Bytes free on the disk of `dir`, or of the nearest folder above it that is there; undefined if unknown. */
export const freeDisk = async (dir: string): Promise<number | undefined> => {
  for (let place = resolve(dir); ; place = dirname(place)) {
    const found = await statfs(place).catch(() => undefined);
    if (found !== undefined) return found.bavail * found.bsize;
    if (place === dirname(place)) return undefined;
  }
};

/** Bytes for people. */
export const sizeText = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/** Throws MissingError where `what` needs more memory than `free`. */
export const requireMemory = (
  what: string,
  needed: number,
  { free = freeMemory(), hint = "" } = {},
): void => {
  if (needed <= free) return;
  throw new MissingError(
    `${what} needs at least ${sizeText(needed)} of memory, ${sizeText(Math.max(0, free))} are free`,
    { hint: hint || "end other programs, or use a machine with more memory" },
  );
};

/** Throws MissingError where `what` needs more room than the disk of `dir` has. */
export const requireDisk = async (what: string, needed: number, dir: string): Promise<void> => {
  const free = await freeDisk(dir);
  if (free === undefined || needed <= free) return;
  throw new MissingError(
    `${what} needs at least ${sizeText(needed)} on the disk, ${sizeText(free)} are free`,
    {
      file: dir,
      hint: "make room, or choose another place with --out",
    },
  );
};

/** Throws MissingError where fewer files may be open at once than the program itself reads. */
export const requireHandles = (limits = textOf("/proc/self/limits")): void => {
  const most = limitIn(limits, "Max open files");
  if (most >= HANDLES) return;
  throw new MissingError(`${most} files may be open at once, at least ${HANDLES} are needed`, {
    hint: `raise the limit: ulimit -n ${4 * HANDLES}`,
  });
};
