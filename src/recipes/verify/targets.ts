/** The places where a shipped folder can be tried, and how each is opened and closed. */
import type { Trial } from "../../evaluate/parity/trial.ts";
import { openBrowser, PACKAGE_PATH, type PageHost, WASM_PATHS } from "../../node/browser/browser.ts";
import { nodeTrial } from "../../node/runtime/trial.ts";
import { checkWebgpu } from "../../node/runtime/webgpu.ts";
import type { ExportDtype } from "../../ship/onnx/dtype.ts";
import type { Target } from "../../ship/verify/verify.ts";
import { MissingError } from "../../util/errors.ts";
import type { GraphPaths, ShippedGraphs } from "./shippedGraphs.ts";

/** What is tried, and how places are opened. */
export interface PlaceOptions {
  /** Path of the reference's file. */
  readonly reference: string;
  /** Every dtype's graphs. */
  readonly graphs: ShippedGraphs;
  /** Threads of the processor; 0 means as many as there are. */
  readonly threads: number;
  /** The browser's program; one that is installed unless told. */
  readonly browser?: string;
  /** Longest that one dtype may take, milliseconds. */
  readonly timeoutMs: number;
  /** Whether a page may have WebGPU in software: slow, and only of use to who asks for it. */
  readonly software: boolean;
}

/** A place that is open for trials. */
export interface Place {
  /** The browser and the adapter, where there are such. */
  readonly device?: string;
  /** Whether it can compute in float16; undefined where that is not in question. */
  readonly float16?: boolean;
  /** Tries one dtype. Throws RunError where it cannot be loaded or run. */
  trial(dtype: ExportDtype): Promise<Trial & { readonly engine: string }>;
  /** Ends what is under way, and all that was opened. */
  close(): Promise<void>;
}

const nodePlace = (device: "cpu" | "webgpu", options: PlaceOptions): Place => {
  const { reference, graphs, threads, timeoutMs } = options;
  const end = new AbortController();
  return {
    trial: (dtype) =>
      nodeTrial({ device, threads, graphs: graphs[dtype]!, reference }, { timeoutMs, signal: end.signal }),
    close: async () => end.abort(),
  };
};

const nodeWebgpu = async (options: PlaceOptions): Promise<Place> => {
  const { fault, float16 } = await checkWebgpu();
  if (fault === undefined) return { ...nodePlace("webgpu", options), float16 };
  throw new MissingError(`WebGPU does not work in Node here (${fault})`, {
    hint: "it needs a GPU with a Vulkan, Metal or Direct3D 12 driver",
  });
};

/** URL of each dtype's graphs, and the files to serve there. */
const served = ({ graphs, reference }: PlaceOptions) => {
  const files: Record<string, { path: string }> = { "/reference": { path: reference } };
  const urls = Object.entries(graphs).map(([dtype, byName]) => {
    const of = Object.entries(byName!).map(([name, path]): [string, string] => {
      const url = `/graphs/${dtype}/${path.split(/[\\/]/).at(-1)!}`;
      files[url] = { path };
      files[`${url}_data`] = { path: `${path}_data` };
      return [name, url];
    });
    return [dtype, Object.fromEntries(of)] as const;
  });
  return { files, urls: Object.fromEntries(urls) as Record<string, GraphPaths> };
};

interface Adapter {
  readonly name: string;
  readonly features: readonly string[];
}

const adapterIn = (host: PageHost): Promise<Adapter | null> =>
  host.run(`import("${PACKAGE_PATH}web/adapter.js").then((m) => m.adapterOf())`, 60_000);

/** Adapters that compute on the processor. */
const IN_SOFTWARE = /swiftshader|llvmpipe|lavapipe/i;

/** A browser with WebGPU: on the machine's adapter, else in software where that is wanted. */
const openWithGpu = async (options: Omit<Parameters<typeof openBrowser>[0], "gpu">, software: boolean) => {
  for (const gpu of software ? (["adapter", "software"] as const) : (["adapter"] as const)) {
    const host = await openBrowser({ ...options, gpu });
    const adapter = await adapterIn(host).catch(() => null);
    if (adapter !== null && (software || !IN_SOFTWARE.test(adapter.name))) return { host, adapter };
    await host.close();
  }
  if (!software) {
    throw new MissingError("the browser offers no WebGPU adapter of this machine's", {
      hint: "--target web-webgpu, by name, tries it in software, which is slow",
    });
  }
  throw new MissingError("the browser offers no WebGPU adapter, not even in software", {
    hint: "use Chromium or Chrome 113 or newer",
  });
};

const pagePlace = async (device: "wasm" | "webgpu", options: PlaceOptions): Promise<Place> => {
  const { files, urls } = served(options);
  const executable = options.browser === undefined ? {} : { executablePath: options.browser };
  const wanted = { folders: {}, files, ...executable };
  const { host, adapter } =
    device === "webgpu"
      ? await openWithGpu(wanted, options.software)
      : { host: await openBrowser(wanted), adapter: undefined };
  const gpu = adapter === undefined ? {} : { float16: adapter.features.includes("shader-f16") };
  return {
    ...gpu,
    device: adapter === undefined ? host.version : `${host.version}, ${adapter.name}`,
    trial: (dtype) => {
      const threads = options.threads > 0 ? options.threads : "Math.min(4, navigator.hardwareConcurrency)";
      const request = { device, graphs: urls[dtype], reference: "/reference", wasmPaths: WASM_PATHS };
      const given = `{ ...${JSON.stringify(request)}, threads: ${threads} }`;
      const load = `import("${PACKAGE_PATH}web/trial.js")`;
      return host.run(`${load}.then((m) => m.webTrial(${given}))`, options.timeoutMs);
    },
    close: () => host.close(),
  };
};

/** Opens each target. Throws MissingError where it is not on this machine, with the way to have it. */
export const openers: Readonly<Record<Target, (options: PlaceOptions) => Promise<Place>>> = {
  "node-cpu": async (options) => nodePlace("cpu", options),
  "node-webgpu": nodeWebgpu,
  "web-wasm": (options) => pagePlace("wasm", options),
  "web-webgpu": (options) => pagePlace("webgpu", options),
};
