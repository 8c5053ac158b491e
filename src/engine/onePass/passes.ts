/** What runs a plan of passes, and the memory in which nothing has to be copied for them. */
import { byteLength, type Tensor, type TensorType, tensor, zeros } from "../../ir/tensor.ts";
import { RunError } from "../../util/errors.ts";
import type { Feeds } from "../engine.ts";
import { runPlain } from "./plain.ts";
import type { Pass, PassPlan } from "./plan.ts";
import { scalarsFrom } from "./scalars.ts";
import { STRIDE } from "./wasm.ts";

/** Bytes of an array that are copied in or out at a time: those of a pass stay in a core's cache. */
const WINDOW = 32_768;
const PAGE = 65_536;
/** A memory has at most 4 GiB; what is larger is copied piece by piece. */
const MOST_PAGES = 65_536;

/** A program in passes, ready to run. */
export interface Passes {
  /**
   * Zeros in the memory of the passes, as long as there is room: they are read and written where they lie,
   * others are copied through the cache, which takes two to three times as long.
   */
  zeros(type: TensorType): Tensor;
  /**
   * Runs the program. Every output is in `fetches`; one may be the tensor of an input of the same shape.
   * Throws RunError naming a tensor that is missing or of another size.
   */
  run(feeds: Feeds, fetches: Feeds): void;
}

/** What is used of WebAssembly's interface, which browsers and Node have alike. */
interface Memory {
  readonly buffer: ArrayBuffer;
}
interface Wasm {
  readonly Memory: new (pages: { initial: number; maximum: number }) => Memory;
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: object };
}
const { WebAssembly: wasm } = globalThis as object as { WebAssembly: Wasm };

const padded = (bytes: number): number => Math.ceil(bytes / STRIDE) * STRIDE;

/** Memory of so many bytes, or of the least; undefined where the process may have none. */
const memoryOf = (bytes: number, least: number): Memory | undefined => {
  const pages = Math.ceil(bytes / PAGE);
  if (pages > MOST_PAGES) return memoryOf(least, least);
  try {
    return new wasm.Memory({ initial: pages, maximum: pages });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return bytes > least ? memoryOf(least, least) : undefined;
  }
};

const arrayOf = (tensors: Feeds, name: string, size: number): Float32Array => {
  const { data } = tensors[name] ?? {};
  if (data instanceof Float32Array && data.length === size) return data;
  const is = data === undefined ? "is missing" : `has ${data.length} elements for ${size} of float32`;
  throw new RunError(`${is} in a pass`, { tensor: name });
};

type Kernel = (...numbers: readonly number[]) => void;

/** What a pass is run on. */
interface Given {
  readonly pass: Pass;
  readonly scalars: readonly number[];
  readonly read: readonly Float32Array[];
  readonly written: readonly Float32Array[];
}

/** Where passes are run. */
interface Place extends Pick<Passes, "zeros"> {
  run(given: Given): void;
}

/** Passes in `memory`, of which the bytes from `windows` to `end` are room for tensors. */
const inMemory = (
  plan: PassPlan,
  memory: Memory,
  { windows, end }: { windows: number; end: number },
): Place => {
  const { buffer } = memory;
  // Kernels are some hundred bytes long: compiling them is no work that a page would have to wait for.
  const instance = new wasm.Instance(new wasm.Module(plan.code), { env: { memory } });
  const kernels = instance.exports as Readonly<Record<string, Kernel>>;
  /** Arrays that this memory was asked for: others may end where something else begins. */
  const own = new WeakSet<object>();
  let free = windows;
  /** Where an array is for the elements from `from` on: where it lies, or in the window of its place. */
  const at = (array: Float32Array, place: number, from: number): number =>
    own.has(array) ? array.byteOffset + 4 * from : place * WINDOW;
  const window = (place: number, size: number) => new Float32Array(buffer, place * WINDOW, size);
  return {
    zeros(type) {
      const bytes = byteLength(type);
      if (type.dtype !== "float32" || free + padded(bytes) > end) return zeros(type);
      const data = new Float32Array(buffer, free, bytes / 4);
      free += padded(bytes);
      own.add(data);
      return tensor(type.dtype, type.shape as readonly number[], data);
    },
    run({ pass, scalars, read, written }) {
      const all = [...read, ...written];
      const most = all.every((array) => own.has(array)) ? pass.size : WINDOW / 4;
      for (let from = 0; from < pass.size; from += most) {
        const size = Math.min(most, pass.size - from);
        read.forEach((array, i) => {
          if (!own.has(array)) window(i, size).set(array.subarray(from, from + size));
        });
        kernels[pass.kernel]!(...all.map((array, i) => at(array, i, from)), padded(4 * size), ...scalars);
        written.forEach((array, i) => {
          if (!own.has(array)) array.set(window(read.length + i, size), from);
        });
      }
    },
  };
};

const plainly = ({ kernels }: PassPlan): Place => ({
  zeros,
  run: ({ pass, scalars, read, written }) => runPlain(kernels[pass.kernel]!, read, written, scalars),
});

/** Opens a plan, with room for tensors of these types. */
export const openPasses = (plan: PassPlan, types: Iterable<TensorType> = []): Passes => {
  const windows = plan.arrays * WINDOW;
  const end = Array.from(types, (type) => padded(byteLength(type))).reduce((a, b) => a + b, windows);
  const memory = memoryOf(end, Math.max(windows, 1));
  const bounds = { windows, end: Math.min(end, memory?.buffer.byteLength ?? 0) };
  const place = memory === undefined ? plainly(plan) : inMemory(plan, memory, bounds);
  return {
    zeros: place.zeros,
    run(feeds, fetches) {
      const scalars = scalarsFrom(plan.scalars, (name) => arrayOf(feeds, name, 1)[0]!);
      for (const pass of plan.passes) {
        place.run({
          pass,
          scalars: pass.scalars.map((i) => scalars[i]!),
          read: pass.reads.map((name) => arrayOf(feeds, name, pass.size)),
          written: pass.writes.map((name) => arrayOf(fetches, name, pass.size)),
        });
      }
    },
  };
};
