/**
 * A model and its tokenizer as one GGUF file, which llama.cpp and what is built on it load. Matrices and
 * embeddings are stored as the kind of file says (mixes.ts), vectors and learnt positions in float32.
 */

import { ggmlTypes } from "../../formats/gguf/ggml.ts";
import { type EncodedGguf, encodeGguf, type GgufValue } from "../../formats/gguf/gguf.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { type GgufMixName, ggufMixes, ggufMixOf } from "./mixes.ts";
import { type GgufImportance, ggufArchitectureOf, ggufTensors, uint32 } from "./model.ts";
import type { ConfigFields } from "./rope.ts";
import { type GgufTokenizer, tokenizerKeys } from "./tokenizer.ts";
import { fieldsOf, type JsonFields, string } from "./vocab.ts";

export type { GgufTokenizer };

/** Of the blocks' layout; 2 since 2023. */
const QUANTIZATION_VERSION = 2;

/** The kind of file, the tokenizer, and the file's name. */
export interface GgufOptions {
  readonly type: GgufMixName;
  /** What errors of each matrix's inputs count, by path: mean squares of what it reads. */
  readonly importance?: GgufImportance;
  readonly tokenizer: GgufTokenizer;
  /** Base name of the file and general.name; the architecture's unless given. */
  readonly name?: string;
  /** "1.0" unless given. */
  readonly version?: string;
}

/** A GGUF file and its conventional name. */
export interface Gguf extends EncodedGguf {
  /** BaseName-SizeLabel-vX.Y-Encoding.gguf */
  readonly fileName: string;
  /** What llama.cpp does otherwise than the model's own files, in a sentence each. */
  readonly notes: readonly string[];
}

/** A number of parameters as the convention writes it: 124M, 1.1B, 0.5B is 494M. */
export const sizeLabel = (params: number): string => {
  const units = ["", "K", "M", "B", "T"];
  let scaled = params;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${scaled.toFixed(scaled < 9.95 && unit > 0 ? 1 : 0)}${units[unit]}`;
};

/** Letters, digits and single dashes, as the naming convention reads them back. */
const baseName = (name: string): string =>
  name.replace(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "") || "model";

/** BaseName-SizeLabel; a name that tells a size of its own (SmolLM2-135M-Instruct) has it in its place. */
const named = (name: string, label: string): string => {
  const base = baseName(name);
  return base.split("-").some((part) => /^\d+(?:\.\d+)?[KMBT]$/i.test(part)) ? base : `${base}-${label}`;
};

const generalKeys = (model: Model, name: string, type: GgufMixName): [string, GgufValue][] => [
  ["general.architecture", string(model.arch.name)],
  ["general.type", string("model")],
  ["general.name", string(name)],
  ["general.size_label", string(sizeLabel(countParams(model.weights)))],
  ["general.file_type", uint32(ggufMixes[type].fileType)],
  ...(ggmlTypes[ggufMixes[type].base].block > 1
    ? ([["general.quantization_version", uint32(QUANTIZATION_VERSION)]] as [string, GgufValue][])
    : []),
];

/**
 * The GGUF file of a dense model. Throws ConfigError for an architecture, activation or rope that llama.cpp
 * does not have, FormatError for a tokenizer of that kind.
 */
export const gguf = (model: Model, options: GgufOptions): Gguf => {
  const type = ggufMixOf(options.type);
  const name = options.name ?? model.arch.name;
  const arch = ggufArchitectureOf(model);
  const config = model.config as ConfigFields;
  if (headOf(model.arch, model.config) !== "causal-lm") {
    throw new ConfigError("is no causal language model, which is what GGUF is written for", {
      field: "architectures",
    });
  }
  const rows = model.arch.cache(model.config).vocab;
  const notes = [...(arch.notes?.(config) ?? [])];
  const tokenizer = tokenizerKeys(options.tokenizer, rows, fieldsOf(config as JsonFields));
  const own = { vocab_size: uint32(rows), ...arch.keys(config) };
  const metadata = new Map<string, GgufValue>([
    ...generalKeys(model, name, type),
    ...Object.entries(own).map(([key, value]) => [`${model.arch.name}.${key}`, value] as [string, GgufValue]),
    ...Object.entries(tokenizer.keys),
  ]);
  const encoded = encodeGguf({ metadata, tensors: ggufTensors(model, type, options.importance) });
  const base = named(name, sizeLabel(countParams(model.weights)));
  const fileName = `${base}-v${options.version ?? "1.0"}-${type.toUpperCase()}.gguf`;
  return { ...encoded, fileName, notes: [...notes, ...tokenizer.notes] };
};
