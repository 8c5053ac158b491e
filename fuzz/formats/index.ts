/** The formats that are fuzzed, each loaded where it is asked for. */
import type { Format } from "../format.ts";

export const formats: Readonly<Record<string, () => Promise<Format>>> = {
  safetensors: async () => (await import("./safetensors.ts")).safetensors,
  "safetensors-index": async () => (await import("./safetensorsIndex.ts")).safetensorsIndex,
  gguf: async () => (await import("./gguf.ts")).gguf,
  onnx: async () => (await import("./onnx.ts")).onnx,
  protobuf: async () => (await import("./protobuf.ts")).protobuf,
  tokenizer: async () => (await import("./tokenizer.ts")).tokenizerJson,
  sentencepiece: async () => (await import("./sentencepiece.ts")).sentencepiece,
  config: async () => (await import("./config.ts")).config,
  "generation-config": async () => (await import("./config.ts")).generationConfig,
  template: async () => (await import("./template.ts")).template,
  jsonl: async () => (await import("./documents.ts")).jsonl,
  json: async () => (await import("./documents.ts")).json,
  csv: async () => (await import("./documents.ts")).csv,
  tsv: async () => (await import("./documents.ts")).tsv,
  html: async () => (await import("./documents.ts")).html,
  shards: async () => (await import("./shards.ts")).shards,
  manifest: async () => (await import("./manifest.ts")).manifest,
  metrics: async () => (await import("./metrics.ts")).metrics,
};
