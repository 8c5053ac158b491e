/** Quality and speed, and whether numbers are the same elsewhere. */
export type { Parity, RowsOptions } from "./parity/agreement.ts";
export { type Reader, readerOf, type Sessions } from "./parity/reader.ts";
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
  type LoadGraph,
  measureGraphs,
  type Probe,
  type Probed,
  probeOf,
} from "./probe.ts";
export {
  measureReading,
  measureSpeed,
  measureTranslating,
  type ReadingOptions,
  type Speed,
  type SpeedOptions,
  type TranslatingOptions,
} from "./speed.ts";
