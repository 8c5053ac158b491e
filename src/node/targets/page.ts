/** onnxruntime-web in a browser's page as a target: each artifact in a page of its own. */
import { MissingError } from "../../util/errors.ts";
import { openBrowser, PACKAGE_PATH, type PageHost, WASM_PATHS } from "../browser/browser.ts";
import type { Artifact, Place, PlaceOptions, Target } from "./target.ts";

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

/** URLs of an artifact's graphs, which are served from now on. */
const served = (host: PageHost, { dtype, graphs }: Artifact, serial: number): Record<string, string> => {
  const urls = Object.entries(graphs).map(([name, path]): [string, string] => {
    const url = `/graphs/${serial}/${dtype}/${path.split(/[\\/]/).at(-1)!}`;
    host.serve(url, path);
    host.serve(`${url}_data`, `${path}_data`);
    return [name, url];
  });
  return Object.fromEntries(urls);
};

/** Calls a function of the package in a page of its own. */
const call = <T>(
  host: PageHost,
  name: string,
  given: object,
  { threads, timeoutMs }: PlaceOptions,
): Promise<T> => {
  const count = threads > 0 ? threads : "Math.min(4, navigator.hardwareConcurrency)";
  const options = `{ ...${JSON.stringify({ ...given, wasmPaths: WASM_PATHS })}, threads: ${count} }`;
  return host.run(`import("${PACKAGE_PATH}web/trial.js").then((m) => m.${name}(${options}))`, timeoutMs);
};

/** Whether an adapter says that it computes in float16, and does. */
const hasHalves = async (host: PageHost, adapter: Adapter, options: PlaceOptions): Promise<boolean> => {
  if (!adapter.features.includes("shader-f16")) return false;
  return (await call<string | null>(host, "webHalvesFault", {}, options)) === null;
};

/** Positions of a model that counts none: JSON has no Infinity. */
const MANY = 2 ** 31;

const openPage = async (device: "wasm" | "webgpu", options: PlaceOptions): Promise<Place> => {
  const executable = options.browser === undefined ? {} : { executablePath: options.browser };
  const wanted = { folders: {}, ...executable };
  const { host, adapter } =
    device === "webgpu"
      ? await openWithGpu(wanted, options.software)
      : { host: await openBrowser(wanted), adapter: undefined };
  const gpu = adapter === undefined ? {} : { float16: await hasHalves(host, adapter, options) };
  let serial = 0;
  return {
    ...gpu,
    device: adapter === undefined ? host.version : `${host.version}, ${adapter.name}`,
    trial(artifact, file) {
      const reference = `/references/${++serial}`;
      host.serve(reference, file);
      const request = { device, graphs: served(host, artifact, serial), reference };
      return call(host, "webTrial", request, options);
    },
    probe(artifact, probed) {
      const shape = { ...probed.shape, positions: Math.min(probed.shape.positions, MANY) };
      const request = { device, graphs: served(host, artifact, ++serial), probed: { ...probed, shape } };
      return call(host, "webProbe", request, options);
    },
    close: () => host.close(),
  };
};

/** onnxruntime-web in Chromium, by WebAssembly or on WebGPU. */
export const pageTarget = (device: "wasm" | "webgpu", title: string): Target => ({
  title,
  format: "onnx",
  open: (options) => openPage(device, options),
});
