/** Byte-level BPE for llama.cpp: tokens in the byte alphabet, merges, the name of the splitting pattern. */
import type { Json } from "../../models/model.ts";
import { bytesToken } from "../../tokenizer/bpe/byteLevel.ts";
import { ggufSplits } from "../../tokenizer/older/ggufSplits.ts";
import {
  fieldsOf,
  type JsonFields,
  list,
  mergesOf,
  refuse,
  stepsOf,
  string,
  tokensById,
  type VocabModel,
} from "./vocab.ts";

const stepName = (step: JsonFields): string => {
  if (step.type === "ByteLevel") return step.use_regex === false ? "bytes" : "words";
  if (step.type === "Digits") return step.individual_digits === true ? "digit" : "digits";
  if (step.type !== "Split") return String(step.type);
  const { Regex, String: literal } = fieldsOf(step.pattern);
  const isolated = step.behavior === "Isolated" && step.invert !== true;
  const matches = step.behavior === "Removed" && step.invert === true;
  return isolated || matches ? `split ${String(Regex ?? literal)}` : `split ${JSON.stringify(step)}`;
};

const nameOf = (steps: readonly JsonFields[]): string => steps.map(stepName).join(", ");

/** llama.cpp's name of a way of splitting: of those with the same steps, one that treats words alike. */
const patternOf = (steps: readonly JsonFields[], whole: boolean): { pre: string; notes: string[] } => {
  const name = nameOf(steps);
  const alike = ggufSplits.filter((way) => nameOf(way.steps.map((s) => fieldsOf(s))) === name);
  const known = alike.find(({ ignoreMerges = false }) => ignoreMerges === whole) ?? alike[0];
  if (known !== undefined) return { pre: known.names[0]!, notes: [] };
  const note =
    "the tokenizer splits text by a pattern that llama.cpp has no known name for: its default splits " +
    "some texts otherwise, so that ids can differ";
  return { pre: "default", notes: [note] };
};

/** Single characters in the byte alphabet: those beyond ASCII would need merges that are not there. */
const charModel = (tokens: ReadonlyMap<number, string>, specials: ReadonlySet<string>): VocabModel => {
  const utf8 = new TextEncoder();
  const spelt = Array.from(tokens, ([id, token]): [number, string] => {
    if (specials.has(token)) return [id, token];
    const bytes = utf8.encode(token);
    if (bytes.length > 1) refuse(`has the character ${JSON.stringify(token)} as a token; only ASCII can be`);
    return [id, bytesToken(bytes)];
  });
  const keys = { "tokenizer.ggml.pre": string("default"), "tokenizer.ggml.merges": list("string", []) };
  return { kind: "gpt2", tokens: new Map(spelt), types: new Map(), keys, notes: [] };
};

/** Throws FormatError for BPE that is neither byte-level nor of single characters. */
export const byteLevelModel = (root: JsonFields, config: JsonFields = {}): VocabModel => {
  const model = fieldsOf(root.model);
  const steps = stepsOf(root.pre_tokenizer);
  const tokens = tokensById(model.vocab);
  const merges = mergesOf(model.merges);
  const added = Array.isArray(root.added_tokens) ? root.added_tokens : [];
  const specials = new Set(added.map((t: Json) => String(fieldsOf(t).content)));
  if (steps.at(-1)?.type !== "ByteLevel") {
    const isChar =
      merges.length === 0 && [...tokens.values()].every((t) => specials.has(t) || [...t].length === 1);
    if (isChar) return charModel(tokens, specials);
    return refuse("has a BPE model that is not byte-level and has no byte fallback");
  }
  const { pre, notes } = patternOf(steps, model.ignore_merges === true);
  const normalizers = stepsOf(root.normalizer).map(({ type }) => String(type));
  const keys = {
    "tokenizer.ggml.pre": string(pre),
    "tokenizer.ggml.merges": list(
      "string",
      // A space within a part would read as the one between them: the byte alphabet has none.
      merges.map(([a, b]) => `${a} ${b}`),
    ),
  };
  const unapplied = normalizers.map((type) => `llama.cpp does not apply the tokenizer's normalizer ${type}`);
  if (steps.some((step) => step.add_prefix_space === true) || config.add_prefix_space === true)
    unapplied.push("llama.cpp puts no space before a text, as add_prefix_space asks for here");
  return { kind: "gpt2", tokens, types: new Map(), keys, notes: [...notes, ...unapplied] };
};
