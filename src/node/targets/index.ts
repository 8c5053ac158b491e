/** The table of the places where a model's files run. */
import { ConfigError } from "../../util/errors.ts";
import { llamaTarget } from "./llamaCpp.ts";
import { nodeTarget } from "./node.ts";
import { pageTarget } from "./page.ts";
import type { Target } from "./target.ts";

/** All targets, by name. */
export const targets = {
  "node-cpu": nodeTarget("cpu", "onnxruntime-node on the processor"),
  "node-webgpu": nodeTarget("webgpu", "onnxruntime-node on WebGPU"),
  "web-wasm": pageTarget("wasm", "onnxruntime-web in Chromium, WebAssembly"),
  "web-webgpu": pageTarget("webgpu", "onnxruntime-web in Chromium, WebGPU"),
  "llama.cpp": llamaTarget("llama.cpp on the processor, by node-llama-cpp"),
} as const satisfies Readonly<Record<string, Target>>;

/** The name of a place where models run. */
export type TargetName = keyof typeof targets;

/** What each target is, by its name. */
export const targetTitles: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(targets).map(([name, { title }]) => [name, title]),
);

/** The names that are given, as targets. Throws ConfigError for one that there is not. */
export const targetsFrom = (names: readonly string[], field: string): TargetName[] =>
  names.map((name) => {
    if (Object.hasOwn(targets, name)) return name as TargetName;
    throw new ConfigError(`must be of ${Object.keys(targets).join(", ")}, not ${name}`, { field });
  });

/** The same where graphs alone are run. Throws ConfigError for a target of another format, too. */
export const graphTargetsFrom = (names: readonly string[], field: string): TargetName[] =>
  targetsFrom(names, field).map((name) => {
    if (targets[name].format === "onnx") return name;
    throw new ConfigError(`${name} runs GGUF files, and graphs are measured here`, {
      field,
      hint: `anneal optimize and anneal verify take --target ${name}`,
    });
  });
