/** Quality and speed, and whether numbers are the same elsewhere. */

export { halvesFault } from "./halves.ts";
export { checkKernels, type Kernel, type KernelFound, kernelName, kernels } from "./kernels.ts";
export { measureGraphs, type Running } from "./measure.ts";
export type { Parity, RowsOptions } from "./parity/agreement.ts";
export { inPlaceReader, type Reader, readerOf, type Sessions } from "./parity/reader.ts";
export {
  type Continuation,
  decodeReference,
  encodeReference,
  type NamedTensors,
  type Reference,
  type ReferenceRun,
} from "./parity/reference.ts";
export { runTrial, type Trial } from "./parity/trial.ts";
export {
  type Does,
  type Probe,
  type Probed,
  probeOf,
} from "./probe.ts";
export {
  type GenerationOptions,
  measureGeneration,
  measureReading,
  type ReadingOptions,
  type Speed,
} from "./speed.ts";
