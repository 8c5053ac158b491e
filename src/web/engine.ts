/**
 * onnxruntime-web as an Engine, for pages and workers. It has no way to write into a caller's tensor, so what
 * is fetched is copied; what is resident stays on the device instead.
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-web";
import type { Engine, Feeds, Session, SessionOptions } from "../engine/engine.ts";
import { type DType, sizeOf, type Tensor, type TensorType, type TypedArray } from "../ir/tensor.ts";
import { DataError, MissingError, RunError } from "../util/errors.ts";

type Ort = typeof import("onnxruntime-web");

/** Device, threads and module of the runtime. */
export interface WebEngineOptions {
  readonly device?: "wasm" | "webgpu";
  /** Threads of the processor's part; more than one needs a page that is cross-origin isolated. */
  readonly threads?: number;
  /** The module, where the page has it already; else the one that it resolves "onnxruntime-web/webgpu" to. */
  readonly ort?: Ort;
  /** Where the .wasm files are: a URL that ends in "/". */
  readonly wasmPaths?: string;
}

/** How a graph is loaded, and what of it stays on the device. */
export interface WebSessionOptions extends SessionOptions {
  /**
   * Outputs that stay on the device, for as long as each run that follows is fed them; the first that is not
   * frees them. Only on WebGPU; elsewhere it changes nothing.
   */
  readonly resident?: (output: string) => boolean;
}

/** An engine that loads graphs from URLs too. */
export interface WebEngine extends Engine {
  /** Loads a model from its bytes or from a URL; weights beside it, at URL_data, are found. */
  load(model: Uint8Array | string, options?: WebSessionOptions): Promise<Session>;
}

const loadRuntime = async (): Promise<Ort> => {
  try {
    return (await import("onnxruntime-web/webgpu")) as Ort;
  } catch (cause) {
    throw new MissingError("onnxruntime-web cannot be loaded", {
      cause,
      hint: "npm install onnxruntime-web",
    });
  }
};

/** Our tensors and the runtime's: one that lies on a device is known by its own alone. */
const wrapper = (ort: Ort) => {
  const known = new WeakMap<Tensor, OrtTensor>();
  return {
    wrap: (t: Tensor): OrtTensor =>
      known.get(t) ?? new ort.Tensor(t.dtype as "float32", t.data as Float32Array, t.shape),
    unwrap(t: OrtTensor): Tensor {
      const type = { dtype: t.type as DType, shape: [...t.dims] };
      if (t.location === "cpu") return { ...type, data: t.data as TypedArray };
      const resident: Tensor = {
        ...type,
        get data(): TypedArray {
          throw new RunError("lies on the device and cannot be read here");
        },
      };
      known.set(resident, t);
      return resident;
    },
  };
};

const typesOf = ({ inputMetadata }: InferenceSession): Record<string, TensorType> => {
  const types = inputMetadata.flatMap((input): [string, TensorType][] =>
    input.isTensor ? [[input.name, { dtype: input.type as DType, shape: input.shape }]] : [],
  );
  return Object.fromEntries(types);
};

const copied = (from: Tensor, to: Tensor): Tensor => {
  if (from.data.length !== to.data.length) {
    throw new RunError(`has ${from.data.length} elements where ${sizeOf(to.shape)} are to be written`);
  }
  to.data.set(from.data as never);
  return to;
};

const sessionOf = (session: InferenceSession, { wrap, unwrap }: ReturnType<typeof wrapper>): Session => {
  const onDevice = new Set<OrtTensor>();
  /** Frees what stays on the device, but for `kept`. */
  const free = (kept: ReadonlySet<OrtTensor>): void => {
    for (const t of onDevice) {
      if (kept.has(t)) continue;
      t.dispose();
      onDevice.delete(t);
    }
  };
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    inputTypes: typesOf(session),
    async run(feeds: Feeds, fetches: Feeds = {}) {
      const inputs: Record<string, OrtTensor> = {};
      for (const name of session.inputNames) {
        const t = feeds[name];
        if (t === undefined)
          throw new RunError("is an input of the graph and was not given", { tensor: name });
        inputs[name] = wrap(t);
      }
      const outputs = Object.entries(await session.run(inputs));
      free(new Set(Object.values(inputs)));
      for (const [, t] of outputs) if ((t as OrtTensor).location !== "cpu") onDevice.add(t as OrtTensor);
      const named = outputs.map(([name, t]): [string, Tensor] => {
        const made = unwrap(t as OrtTensor);
        return [name, fetches[name] === undefined ? made : copied(made, fetches[name])];
      });
      return Object.fromEntries(named);
    },
    async dispose() {
      free(new Set());
      await session.release();
    },
  };
};

const bytesAt = async (url: string): Promise<Uint8Array | undefined> => {
  const answer = await fetch(url);
  if (answer.status === 404) return undefined;
  if (!answer.ok) throw new DataError(`cannot be read (${answer.status})`, { file: url });
  return new Uint8Array(await answer.arrayBuffer());
};

/** A model's bytes and what lies beside it, as the runtime takes them. */
const filesAt = async (url: string): Promise<[Uint8Array, InferenceSession.SessionOptions]> => {
  const bytes = await bytesAt(url);
  if (bytes === undefined) throw new DataError("cannot be read (404)", { file: url });
  const beside = await bytesAt(`${url}_data`);
  const path = `${url.split("/").at(-1)}_data`;
  return [bytes, beside === undefined ? {} : { externalData: [{ path, data: beside }] }];
};

/** The onnxruntime-web engine. Throws MissingError where the package cannot be loaded. */
export const webEngine = async (options: WebEngineOptions = {}): Promise<WebEngine> => {
  const { device = "wasm", threads = 1, wasmPaths } = options;
  const ort = options.ort ?? (await loadRuntime());
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
  const tensors = wrapper(ort);
  return {
    name: `onnxruntime-web ${device}`,
    version: ort.env.versions.web ?? ort.env.versions.common,
    threads,
    async load(model, { optimize, resident }: WebSessionOptions = {}) {
      const [bytes, beside] = typeof model === "string" ? await filesAt(model) : [model, {}];
      const create = (preferred: InferenceSession.SessionOptions): Promise<InferenceSession> =>
        ort.InferenceSession.create(bytes, {
          ...beside,
          ...preferred,
          executionProviders: [device],
          graphOptimizationLevel: optimize === "none" ? "disabled" : "all",
          logSeverityLevel: 3,
        });
      return sessionOf(await create(device === "wasm" ? {} : located(resident)), tensors);
    },
  };
};

/** Locations by output name: asked for when the runtime looks them up, for the names are in the model. */
const located = (resident: WebSessionOptions["resident"]): InferenceSession.SessionOptions => {
  if (resident === undefined) return {};
  const preferredOutputLocation = new Proxy<Record<string, "cpu" | "gpu-buffer">>(
    {},
    { get: (_, name) => (typeof name === "string" && resident(name) ? "gpu-buffer" : "cpu") },
  );
  return { preferredOutputLocation };
};
