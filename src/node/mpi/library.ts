/** The MPI library: found, its kind told, its functions bound. */
import { pathToFileURL } from "node:url";
import { MissingError, RunError } from "../../util/errors.ts";
import { optionalPath } from "../files/optional.ts";
import { besideLauncher } from "./beside.ts";
import { type Handles, handles, type MpiKind } from "./handles.ts";
import type { Launched } from "./launcher.ts";

type Native = (...args: readonly unknown[]) => unknown;

/** What is used of koffi (https://koffi.dev). */
export interface Koffi {
  load(path: string | null, options?: { readonly global?: boolean }): KoffiLibrary;
  /** Memory at an address, as it lies. */
  view(address: bigint | number, bytes: number): ArrayBuffer;
}

/** A library that koffi has loaded. */
export interface KoffiLibrary {
  func(name: string, result: string, args: readonly string[]): Native;
  /** Its address. Throws where there is none. */
  symbol(name: string): bigint;
}

/** An array of requests, as the library has them. */
export type Requests = Int32Array | BigInt64Array;

/** The functions of MPI that are used; each throws RunError with the library's own words where it fails. */
export interface Mpi {
  readonly kind: MpiKind;
  /** What the library says that it is. */
  readonly version: string;
  /** Joins the others. */
  init(): void;
  rank(): number;
  size(): number;
  requests(count: number): Requests;
  /** Begins to receive `data` from a rank; the request is written to `at`. */
  receive(data: Float32Array, from: number, tag: number, at: Requests): void;
  send(data: Float32Array, to: number, tag: number, at: Requests): void;
  /** Whether all requests have completed; makes what there is to make of progress. */
  completed(requests: Requests): boolean;
  finalize(): void;
  /** Ends all ranks, this one too, within ABORT_SEC at the latest. */
  abort(code: number): void;
}

const names: Readonly<Record<MpiKind, readonly string[]>> = {
  "Open MPI":
    process.platform === "darwin" ? ["libmpi.40.dylib", "libmpi.dylib"] : ["libmpi.so.40", "libmpi.so"],
  MPICH:
    process.platform === "darwin"
      ? ["libmpich.12.dylib", "libmpi.12.dylib", "libpmpi.12.dylib"]
      : ["libmpich.so.12", "libmpi.so.12", "msmpi.dll"],
  // Version 1 of the ABI is that of MPI 5.0; MPICH 5.0.0 and 5.0.1 call theirs 0 all the same.
  "MPI ABI":
    process.platform === "darwin"
      ? ["libmpi_abi.1.dylib", "libmpi_abi.0.dylib"]
      : ["libmpi_abi.so.1", "libmpi_abi.so.0", "libmpi_abi.so"],
};

const HINT =
  "install Open MPI (apt-get install openmpi-bin, module load openmpi) or MPICH, or name the library's " +
  "file with --mpi-lib";

/** Loads koffi. Throws MissingError where it is not installed. */
export const loadKoffi = async (): Promise<Koffi> => {
  const path = optionalPath("koffi");
  const { default: koffi } = (await import(pathToFileURL(path).href)) as { readonly default: Koffi };
  return koffi;
};

const has = (lib: KoffiLibrary, name: string): boolean => {
  try {
    return lib.symbol(name) !== null;
  } catch {
    return false;
  }
};

const versionOf = (lib: KoffiLibrary): string => {
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  lib.func("MPI_Get_library_version", "int", ["void *", "void *"])(text, length);
  return new TextDecoder()
    .decode(text.subarray(0, length[0]))
    .split(/[,\n\0]/, 1)[0]!
    .replace(/\s+/g, " ")
    .trim();
};

interface Known {
  readonly kind: MpiKind;
  readonly version: string;
}

/** Libraries of MPICH's family share its handles. */
const FAMILY = /MPICH|Intel\(R\) MPI|MVAPICH|CRAY|ParaStation|Microsoft MPI/i;

/** The kind of a library: that of the ABI is asked for first, for both others may implement it. */
const kindOf = (lib: KoffiLibrary, file: string): Known => {
  if (!has(lib, "MPI_Get_library_version")) {
    throw new MissingError("is no MPI library: MPI_Get_library_version is missing", { file, hint: HINT });
  }
  const version = versionOf(lib);
  if (has(lib, "MPI_Abi_get_version")) {
    const [major, minor] = [new Int32Array(1), new Int32Array(1)];
    lib.func("MPI_Abi_get_version", "int", ["void *", "void *"])(major, minor);
    if (major[0]! >= 1) return { kind: "MPI ABI", version };
  }
  if (has(lib, "ompi_mpi_comm_world")) return { kind: "Open MPI", version };
  if (FAMILY.test(version)) return { kind: "MPICH", version };
  throw new MissingError(`is of a kind of MPI that is not known here: ${version}`, { file, hint: HINT });
};

/** The files of a kind: the launcher's own before what the system finds by name. */
const filesOf = (kind: MpiKind): readonly string[] => [...besideLauncher(names[kind]), ...names[kind]];

/**
 * Has UCX, below MPICH and Open MPI, not watch for memory that is unmapped, unless told otherwise: to do so
 * it writes over code of the C library when it is loaded, while threads of V8 run that code. Of 600 processes
 * 3 to 9 crashed. By relocation tables instead ("reloc") UCX 1.13 hangs when ranks join.
 */
const spareCode = (koffi: Koffi): void => {
  try {
    koffi.load(null).func("setenv", "int", ["str", "str", "int"])("UCX_MEM_MMAP_HOOK_MODE", "none", 0);
  } catch {
    // Windows has neither.
  }
};

/** The first library that can be loaded: that of the launcher's kind before others. */
const find = (koffi: Koffi, asked: string | undefined, by: Launched["by"]): [KoffiLibrary, string] => {
  const order: readonly MpiKind[] =
    by === "mpiexec of MPICH" ? ["MPICH", "MPI ABI", "Open MPI"] : ["Open MPI", "MPI ABI", "MPICH"];
  const files = asked === undefined ? order.flatMap(filesOf) : [asked];
  let cause: unknown;
  for (const file of files) {
    try {
      // Open MPI's components look for its symbols among the global ones.
      return [koffi.load(file, { global: true }), file];
    } catch (error) {
      cause = error;
    }
  }
  const what = asked === undefined ? `none of ${files.join(", ")} is installed` : "cannot be loaded";
  const why = asked === undefined ? "" : `: ${cause instanceof Error ? cause.message : String(cause)}`;
  throw new MissingError(`no MPI library: ${what}${why}`, {
    ...{ hint: HINT, cause },
    ...(asked === undefined ? {} : { file: asked }),
  });
};

/** Seconds after which an abort that is stuck, as where the network is gone, ends this process by SIGALRM. */
const ABORT_SEC = 10;

const alarmIn = (koffi: Koffi, seconds: number): void => {
  try {
    koffi.load(null).func("alarm", "unsigned int", ["unsigned int"])(seconds);
  } catch {
    // Windows knows no alarms.
  }
};

/** C's types of what a message function takes: numbers, their count and type, rank, tag, world, request. */
const messageArgs = (H: string): string[] => ["void *", "int", H, "int", "int", H, "void *"];

/** Functions by name, as `int f(...)` whose result says whether it failed. */
const binder = (lib: KoffiLibrary) => {
  const errorText = lib.func("MPI_Error_string", "int", ["int", "void *", "void *"]);
  return (name: string, ...args: string[]): ((...given: readonly unknown[]) => void) => {
    const native = lib.func(name, "int", args);
    return (...given) => {
      const code = Number(native(...given));
      if (code === 0) return;
      const [text, length] = [new Uint8Array(512), new Int32Array(1)];
      errorText(code, text, length);
      throw new RunError(`${name}: ${new TextDecoder().decode(text.subarray(0, length[0]))}`);
    };
  };
};

const bind = (koffi: Koffi, lib: KoffiLibrary, { kind, version }: Known): Mpi => {
  const table: Handles = handles[kind];
  const H = table.type;
  const value = (of: number | string): number => (typeof of === "string" ? Number(lib.symbol(of)) : of);
  const [world, float] = [value(table.world), value(table.float)];
  const must = binder(lib);
  const [isend, irecv] = [must("MPI_Isend", ...messageArgs(H)), must("MPI_Irecv", ...messageArgs(H))];
  const testall = must("MPI_Testall", "int", "void *", "void *", "uintptr_t");
  const out = new Int32Array(1);
  const answer = (name: string): number => {
    must(name, H, "void *")(world, out);
    return out[0]!;
  };
  return {
    kind,
    version,
    init() {
      must("MPI_Init_thread", "void *", "void *", "int", "void *")(null, null, table.funneled, out);
      must("MPI_Comm_set_errhandler", H, H)(world, value(table.errorsReturn));
    },
    rank: () => answer("MPI_Comm_rank"),
    size: () => answer("MPI_Comm_size"),
    requests(count) {
      const none = value(table.requestNull);
      return H === "int" ? new Int32Array(count).fill(none) : new BigInt64Array(count).fill(BigInt(none));
    },
    receive: (data, from, tag, at) => irecv(data, data.length, float, from, tag, world, at),
    send: (data, to, tag, at) => isend(data, data.length, float, to, tag, world, at),
    completed(requests) {
      testall(requests.length, requests, out, table.statusesIgnore);
      return out[0] !== 0;
    },
    finalize: must("MPI_Finalize"),
    abort(code) {
      alarmIn(koffi, ABORT_SEC);
      lib.func("MPI_Abort", "int", [H, "int"])(world, code);
    },
  };
};

/** How the library is found. */
export interface MpiOptions {
  /** Path or name of the library's file; found by the names of each kind unless given. */
  readonly lib?: string | undefined;
  readonly launched: Launched;
}

/**
 * Loads the MPI library, and koffi to call it. Throws MissingError where there is none, or it is of no kind
 * that is known.
 */
export const loadMpi = async ({ lib: asked, launched }: MpiOptions): Promise<Mpi> => {
  const koffi = await loadKoffi();
  spareCode(koffi);
  const [lib, file] = find(koffi, asked, launched.by);
  return bind(koffi, lib, kindOf(lib, file));
};
