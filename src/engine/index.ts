/** Where programs run, and how they get there. */
export { compile, compileStep, onnxBytes, type Resident } from "./compile.ts";
export type { Engine, Feeds, Session, SessionOptions } from "./engine.ts";
