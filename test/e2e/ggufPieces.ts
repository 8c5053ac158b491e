/** GGUF files of a few pieces, and llama.cpp. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll } from "vitest";

export const dir = mkdtempSync(join(tmpdir(), "anneal-gguf-tokens-"));

export let llama: Llama;

beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.disabled });
});

afterAll(async () => {
  await llama.dispose();
  rmSync(dir, { recursive: true, force: true });
});

let count = 0;

/** A path in the folder that no other call gives. */
export const newPath = (ending: string): string => join(dir, `${count++}${ending}`);

export const vocabOnly = (path: string) =>
  llama.loadModel({ modelPath: path, gpuLayers: 0, vocabOnly: true });

export type Kind = "normal" | "unknown" | "control" | "user" | "unused" | "byte";

export const kinds: readonly Kind[] = ["normal", "unknown", "control", "user", "unused", "byte"];

const bytes = Array.from({ length: 256 }, (_, i): [string, number, Kind] => [
  `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`,
  0,
  "byte",
]);

const words = [
  "\u2581h",
  "el",
  "lo",
  "\u2581hel",
  "\u2581hello",
  "\u2581w",
  "or",
  "ld",
  "\u2581wor",
  "\u2581\u2581",
];

/** Llama 2's kind. */
export const pieces: readonly [string, number, Kind][] = [
  ["<unk>", 0, "unknown"],
  ["<s>", 0, "control"],
  ["</s>", 0, "control"],
  ...bytes,
  ...words.map((word, i): [string, number, Kind] => [word, -1 - i, "normal"]),
  ...["\u2581", "h", "e", "l", "o", "w", "r", "d"].map((c, i): [string, number, Kind] => [
    c,
    -99 - i,
    "normal",
  ]),
  ["<|user|>", 0, "control"],
  ["<tool>", 0, "user"],
  ["[PAD277]", 0, "unused"],
];

export const texts = [
  "hello world",
  "  hello   world ",
  "h\u00e4llo\n\tworld",
  "a<tool>hello",
  "",
  "hello<|user|>hello</s>",
];
