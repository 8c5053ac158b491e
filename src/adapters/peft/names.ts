/** Names in the files of PEFT: those of the Hugging Face class that an adapter is on. */
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";

/** The file of an adapter's options. */
export const CONFIG = "adapter_config.json";
/** The file of an adapter's tensors. */
export const WEIGHTS = "adapter_model.safetensors";
/** What every key of a saved tensor begins with. */
export const PREFIX = "base_model.model.";

/** What a path's names begin with here and not in the Hugging Face class: bare bodies have no name there. */
export const bareOf = ({ arch, config }: Model): string =>
  headOf(arch, config) === "features" && arch.base !== undefined ? `${arch.base}.` : "";

/** [M, N] -> [N, M] */
export const transposed = ({ shape, data }: Tensor): Tensor => {
  const [rows, columns] = shape as [number, number];
  const turned = Float32Array.from(
    { length: rows * columns },
    (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number,
  );
  return tensor("float32", [columns, rows], turned);
};

/** Whether a module is called `end`, or so at the end of its name. */
export const isEnd = (module: string, end: string): boolean => module === end || module.endsWith(`.${end}`);
