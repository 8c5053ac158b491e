/** Pages: onnxruntime-web as an engine, and trials in it. No node: module is imported here. */
export { type Adapter, adapterOf } from "./adapter.ts";
export { type WebEngine, type WebEngineOptions, type WebSessionOptions, webEngine } from "./engine.ts";
export {
  type WebProbeRequest,
  type WebTrial,
  type WebTrialRequest,
  webHalvesFault,
  webProbe,
  webTrial,
} from "./trial.ts";
