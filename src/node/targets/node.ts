/** onnxruntime-node as a target: each artifact in a process of its own. */
import { MissingError } from "../../util/errors.ts";
import { type Device, inProcess } from "./process.ts";
import type { Place, PlaceOptions, Target } from "./target.ts";
import { checkWebgpu } from "./webgpu.ts";

const placeOn = (device: Device, { threads, timeoutMs }: PlaceOptions): Place => {
  const end = new AbortController();
  const options = { timeoutMs, signal: end.signal };
  return {
    trial: ({ graphs }, reference) =>
      inProcess({ kind: "trial", device, threads, graphs, reference }, options),
    probe: ({ graphs }, probed) => inProcess({ kind: "probe", device, threads, graphs, probed }, options),
    close: async () => end.abort(),
  };
};

/** onnxruntime-node on the processor or on WebGPU. */
export const nodeTarget = (device: Device, title: string): Target => ({
  title,
  format: "onnx",
  async open(options) {
    if (device === "cpu") return placeOn(device, options);
    const { fault, float16 } = await checkWebgpu();
    if (fault === undefined) return { ...placeOn(device, options), float16 };
    throw new MissingError(`WebGPU does not work in Node here (${fault})`, {
      hint: "it needs a GPU with a Vulkan, Metal or Direct3D 12 driver",
    });
  },
});
