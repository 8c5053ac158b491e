/**
 * What anneal doctor says of products of 4 and 2 bits: whether they are right here, and quicker than of 8
 * bits.
 */
import { type KernelFound, kernelName, kernels } from "../../evaluate/kernels.ts";
import { nodeEngine } from "./engine.ts";
import { knownKernels } from "./kernelCache.ts";
import type { Check } from "./machine.ts";

const said = (kernel: KernelFound): Check => {
  const name = kernelName(kernel);
  const time = kernel.ms === undefined ? "" : `${kernel.ms.toFixed(2)} ms for a row times 1024 x 4096`;
  if (kernel.status === "sound") return { name, status: "ok", found: time };
  const hint = kernel.status === "slow" ? "files are smaller, and no quicker" : "this block is refused";
  return { name, status: "warn", found: kernel.why ?? kernel.status, hint };
};

/** A line for each form that is written. Tried once for a machine and a runtime version. */
export const checkProducts = async (): Promise<Check[]> => {
  const forms = kernels.filter(({ bits, zeros, accuracy }) => bits < 8 && zeros && accuracy === 4);
  return (await knownKernels(await nodeEngine({ threads: 1 }), forms)).map(said);
};
