/** Where programs run: one interface, several places (onnxruntime-node, onnxruntime-web). */
import type { Tensor, TensorType } from "../ir/tensor.ts";

/** Tensors by the names of a graph's inputs. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** A loaded graph that runs. */
export interface Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** The type of each input; a dimension that is not fixed bears its name. */
  readonly inputTypes: Readonly<Record<string, TensorType>>;
  /**
   * Runs the graph. Outputs named in `fetches` are written in place into those tensors (same dtype and shape)
   * and returned as the same objects; the others are fresh. A tensor may be fed and fetched at once only
   * where the graph's op is known to work in place (the shared key-value cache).
   */
  run(feeds: Feeds, fetches?: Feeds): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

/**
 * How the memory of a run is laid out: "ahead" of it in one piece, which is fast for many small tensors;
 * "as needed", which for large ones takes about a quarter less at the peak; or "given back" to the system
 * as soon as a tensor is done with, which takes the least and about a tenth of the time more.
 */
export type MemoryLayout = "ahead" | "as needed" | "given back";

/** How a graph is loaded. */
export interface SessionOptions {
  /** Threads inside one op; the engine's own number unless told. */
  readonly threads?: number;
  /** "all" unless told; "none" loads a graph as it is. */
  readonly optimize?: "all" | "none";
  /**
   * Every output is fetched into a tensor of the caller's, so that nothing has to be given back; the graph
   * must be compiled for it (see `compile`).
   */
  readonly inPlace?: boolean;
  /**
   * What the threads inside ops do once a run is over: "spin" for the next one (unless told), or "sleep", for
   * sessions that take turns and would get in each other's way.
   */
  readonly idle?: "spin" | "sleep";
  /** How memory is laid out: "ahead" unless told. */
  readonly layout?: MemoryLayout;
  /** Where to write a profile: a path's beginning. */
  readonly profile?: string;
}

/** A place where graphs run: a runtime on a device. */
export interface Engine {
  /** "onnxruntime-node cpu", for reports. */
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  /**
   * Loads a model from its bytes, or from a path where the engine has files (external data is found beside
   * it).
   */
  load(model: Uint8Array | string, options?: SessionOptions): Promise<Session>;
}
