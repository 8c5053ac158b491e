/** What each target is to show of a small model. */
import type { TargetName } from "../../src/node/targets/index.ts";

export interface TargetCase {
  /** Whether it needs a browser. */
  readonly browser: boolean;
  /** Whether every machine of ours has it; else it says why it is not there. */
  readonly everywhere: boolean;
  /** Those that fresh weights bear: 4 bits are too few for them. */
  readonly dtypes: readonly ("fp32" | "q8" | "f32" | "q8_0")[];
  /** Kinds of models that it runs. */
  readonly families: readonly ("gpt2" | "bert" | "t5")[];
}

const all = ["gpt2", "bert", "t5"] as const;

export const targetCases: Readonly<Record<TargetName, TargetCase>> = {
  "node-cpu": { browser: false, everywhere: true, dtypes: ["fp32", "q8"], families: all },
  "node-webgpu": { browser: false, everywhere: false, dtypes: ["fp32"], families: all },
  "web-wasm": { browser: true, everywhere: true, dtypes: ["fp32"], families: all },
  "web-webgpu": { browser: true, everywhere: false, dtypes: ["fp32"], families: all },
  "llama.cpp": { browser: false, everywhere: true, dtypes: ["f32", "q8_0"], families: ["gpt2"] },
};
