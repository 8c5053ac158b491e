/** onnxruntime-node as an Engine. `run` blocks the event loop for the whole call (onnxruntime #19611). */
import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Engine, Feeds, Session, SessionOptions } from "../../engine/engine.ts";
import { HALT } from "../../formats/onnx/lower.ts";
import type { DType, Tensor, TensorType, TypedArray } from "../../ir/tensor.ts";
import { MissingError, RunError } from "../../util/errors.ts";
import { checkGraphBytes, checkGraphFiles } from "./graphFiles.ts";
import { withoutTelemetry } from "./telemetry.ts";

type Ort = typeof import("onnxruntime-node");

const loadRuntime = async (): Promise<Ort> => {
  await withoutTelemetry();
  try {
    return await import("onnxruntime-node");
  } catch (cause) {
    throw new MissingError("onnxruntime-node cannot be loaded", {
      cause,
      hint: "npm install onnxruntime-node, then run: npx anneal doctor",
    });
  }
};

/** Tensors are wrapped once: state tensors are fed thousands of times. */
const wrapper = (ort: Ort): ((t: Tensor) => OrtTensor) => {
  const known = new WeakMap<Tensor, OrtTensor>();
  return (t) => {
    let wrapped = known.get(t);
    if (wrapped === undefined) {
      wrapped = new ort.Tensor(t.dtype as "float32", t.data as Float32Array, t.shape);
      known.set(t, wrapped);
    }
    return wrapped;
  };
};

const unwrap = (t: OrtTensor): Tensor => ({
  dtype: t.type as DType,
  shape: t.dims as number[],
  data: t.data as TypedArray,
});

/** What the binding says at HALT, after the run and before it copies anything. */
const AT_HALT = "Non tensor type is temporarily not supported.";

const uncopied = (error: unknown): Record<string, OrtTensor> => {
  if (error instanceof Error && error.message === AT_HALT) return {};
  throw error;
};

const typesOf = ({ inputMetadata }: InferenceSession): Record<string, TensorType> => {
  const types = inputMetadata.flatMap((input): [string, TensorType][] =>
    input.isTensor ? [[input.name, { dtype: input.type as DType, shape: input.shape }]] : [],
  );
  return Object.fromEntries(types);
};

const sessionOf = (session: InferenceSession, wrap: (t: Tensor) => OrtTensor): Session => ({
  inputNames: session.inputNames,
  outputNames: session.outputNames,
  inputTypes: typesOf(session),
  async run(feeds: Feeds, fetches: Feeds = {}) {
    const inputs: Record<string, OrtTensor> = {};
    for (const name of session.inputNames) {
      const t = feeds[name];
      if (t === undefined) throw new RunError("is an input of the graph and was not given", { tensor: name });
      inputs[name] = wrap(t);
    }
    const wanted: Record<string, OrtTensor | null> = {};
    for (const name of session.outputNames) wanted[name] = fetches[name] ? wrap(fetches[name]) : null;
    const outputs = await session.run(inputs, wanted).catch(uncopied);
    const given = session.outputNames.filter((name) => name !== HALT);
    const result = (name: string): Tensor => {
      if (fetches[name] !== undefined) return fetches[name];
      const made = outputs[name];
      if (made !== undefined) return unwrap(made as OrtTensor);
      throw new RunError("is an output that must be fetched into a tensor", { tensor: name });
    };
    return Object.fromEntries(given.map((name) => [name, result(name)]));
  },
  dispose: () => session.release(),
});

/** Threads and device. */
export interface NodeEngineOptions {
  /** Threads inside one op; all cores unless told. Results are bit-equal for equal thread counts. */
  readonly threads?: number;
  /** Where ops run: "cpu" unless told; on "webgpu", what it has no kernel for runs on the processor. */
  readonly device?: "cpu" | "webgpu";
}

/**
 * The onnxruntime-node engine, its telemetry turned off (see telemetry.ts). Files that a graph names are
 * checked before it is loaded (see graphFiles.ts). Throws MissingError where the
 * package or its library is missing.
 */
export const nodeEngine = async (options: NodeEngineOptions = {}): Promise<Engine> => {
  const { threads = availableParallelism(), device = "cpu" } = options;
  const ort = await loadRuntime();
  // What the runtime says as it starts (of devices that it looks for) does not heed a session's level.
  ort.env.logLevel = "error";
  const wrap = wrapper(ort);
  return {
    name: `onnxruntime-node ${device}`,
    version: ort.env.versions.node ?? ort.env.versions.common,
    threads,
    async load(model, sessionOptions: SessionOptions = {}) {
      if (typeof model === "string") await checkGraphFiles(model);
      else checkGraphBytes(model);
      const config: InferenceSession.SessionOptions = {
        executionProviders: [device],
        graphOptimizationLevel: sessionOptions.optimize === "none" ? "disabled" : "all",
        intraOpNumThreads: sessionOptions.threads ?? threads,
        logSeverityLevel: 3,
        enableMemPattern: (sessionOptions.layout ?? "ahead") === "ahead",
        enableCpuMemArena: sessionOptions.layout !== "given back",
        ...(sessionOptions.idle === "sleep" ? { extra: { session: { force_spinning_stop: "1" } } } : {}),
        ...(sessionOptions.profile === undefined
          ? {}
          : { enableProfiling: true, profileFilePrefix: sessionOptions.profile }),
      };
      const session =
        typeof model === "string"
          ? await ort.InferenceSession.create(model, config)
          : await ort.InferenceSession.create(model, config);
      return sessionOf(session, wrap);
    },
  };
};
