/**
 * Memory that the ranks of one machine share: a file in memory of each rank (memfd_create of Linux), which
 * the others open through /proc. It has no name in any folder, no limit but that of the process's memory, and
 * goes with the last rank, however that ends.
 */
import { randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, openSync, readlinkSync } from "node:fs";
import type { Collective, Parcel, Windows } from "../../train/ranks/collective.ts";
import { type Koffi, loadKoffi } from "./library.ts";

/** In front of what is shared: a page whose first bytes tell whether it is the memory that was meant. */
const HEAD = 4096;
const NONCE = 4;
const NAME = "anneal";
const [READ_WRITE, SHARED] = [3, 1];

/** Memory, and the words in front of it. */
interface Mapped {
  readonly words: Uint32Array;
  readonly memory: ArrayBuffer;
}

/** Functions of the system; undefined where it is not Linux, or a kernel without them. */
const systemOf = (koffi: Koffi) => {
  if (process.platform !== "linux") return undefined;
  try {
    const lib = koffi.load(null);
    const create = lib.func("memfd_create", "int", ["char *", "unsigned int"]);
    const mmapArgs = ["uintptr_t", "size_t", "int", "int", "int", "int64_t"];
    const mmap = lib.func("mmap", "intptr_t", mmapArgs);
    return {
      create: () => Number(create(NAME, 0)),
      map(fd: number, bytes: number): Mapped {
        const address = Number(mmap(0, HEAD + bytes, READ_WRITE, SHARED, fd, 0));
        if (address === -1) throw new Error("cannot be mapped");
        const words = new Uint32Array(koffi.view(address, NONCE * Uint32Array.BYTES_PER_ELEMENT));
        return { words, memory: koffi.view(address + HEAD, bytes) };
      },
    };
  } catch {
    return undefined;
  }
};

/** What a rank tells of its memory: process, file, bytes, and the words in front of it. */
type Told = readonly number[];
const TELLS = 3 + NONCE;

interface Own {
  readonly memory: ArrayBuffer;
  readonly fd: number;
  readonly told: Told;
}

type System = NonNullable<ReturnType<typeof systemOf>>;

const make = (system: System | undefined, bytes: number): Own | undefined => {
  const fd = system?.create() ?? -1;
  if (system === undefined || fd < 0) return undefined;
  try {
    ftruncateSync(fd, HEAD + bytes);
    const { words, memory } = system.map(fd, bytes);
    randomFillSync(words);
    return { memory, fd, told: [process.pid, fd, bytes, ...words] };
  } catch {
    closeSync(fd);
    return undefined;
  }
};

/** The memory of another rank; undefined where it is on another machine, or this process may not read it. */
const open = (system: System | undefined, [pid, fd, bytes, ...words]: Told): ArrayBuffer | undefined => {
  if (system === undefined || !pid || !bytes) return undefined;
  const path = `/proc/${pid}/fd/${fd}`;
  try {
    // On another machine that number may be of any process, and its file anything.
    if (!readlinkSync(path).startsWith(`/memfd:${NAME}`)) return undefined;
    const opened = openSync(path, "r+");
    try {
      const found = system.map(opened, bytes);
      return found.words.every((word, i) => word === words[i]) ? found.memory : undefined;
    } finally {
      closeSync(opened);
    }
  } catch {
    return undefined;
  }
};

/** What each rank tells, by rank; numbers are whole and travel as the bits of float64. */
const telling = ({ size, exchange }: Collective) => {
  return async (own: (r: number) => readonly number[], count: number): Promise<number[][]> => {
    const bits = (values: readonly number[]): Parcel => [new Float32Array(Float64Array.from(values).buffer)];
    const each = Array.from({ length: size }, (_, r) => r);
    const told = await exchange(
      each.map((r) => bits(own(r))),
      each.map(() => bits(new Array<number>(count).fill(0))),
    );
    return told.map(([data]) => [...new Float64Array(data!.slice().buffer)]);
  };
};

/**
 * `collective`, whose ranks of one machine can share memory. Two ranks do where each can read that of the
 * other: not in containers apart, where they copy as between machines.
 */
export const withWindows = async (collective: Collective): Promise<Collective> => {
  const koffi = await loadKoffi();
  const system = systemOf(koffi);
  const tell = telling(collective);
  const windows = async (bytes: number): Promise<Windows> => {
    const own = make(system, bytes);
    const told = await tell(() => own?.told ?? new Array<number>(TELLS).fill(0), TELLS);
    const found = told.map((of, r) => (r === collective.rank ? own?.memory : open(system, of)));
    const seen = await tell((r) => [found[r] === undefined || own === undefined ? 0 : 1], 1);
    if (own !== undefined) closeSync(own.fd);
    return found.map((memory, r) => (own !== undefined && seen[r]![0] === 1 ? memory : undefined));
  };
  return { ...collective, windows };
};
