/**
 * anneal: make a language model fit a budget. Each folder is also an entry of its own (anneal/optim,
 * anneal/node ...).
 */
export * from "./adapters/index.ts";
export * from "./autodiff/grad.ts";
export * from "./compress/index.ts";
export * from "./engine/compile.ts";
export type * from "./engine/engine.ts";
export { toOnnx } from "./formats/lower.ts";
export * from "./ir/op.ts";
export { type Program, print, trace } from "./ir/program.ts";
export * from "./ir/tensor.ts";
export * from "./models/gpt2.ts";
export * from "./models/llama.ts";
export type { Architecture, Model } from "./models/model.ts";
export * from "./models/qwen2.ts";
export * from "./models/qwen3.ts";
export { initialize } from "./nn/param.ts";
export * from "./ops/index.ts";
export * from "./optim/index.ts";
export { defaults, defineConfig, type RunConfig, type RunOptions } from "./recipes/config/options.ts";
export * from "./search/index.ts";
export { generate } from "./serve/generate.ts";
export * from "./tokenizer/index.ts";
export * from "./train/loop.ts";
export * from "./util/errors.ts";
