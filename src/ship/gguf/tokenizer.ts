/**
 * A tokenizer.json as llama.cpp's metadata: byte-level BPE ("gpt2") with the name of its splitting pattern,
 * SentencePiece's BPE ("llama") and Unigram ("t5"). llama.cpp has the patterns compiled in, so that one it
 * does not know by name can only be replaced by its default.
 */
import type { GgufValue } from "../../formats/gguf/gguf.ts";
import type { Json } from "../../models/model.ts";
import type { SentencePieceModel } from "../../tokenizer/older/sentencepiece.ts";
import { byteLevelModel } from "./bpe.ts";
import { piecesModel, sentencePieceModel, unigramModel } from "./sentencePiece.ts";
import {
  bool,
  fieldsOf,
  type JsonFields,
  list,
  refuse,
  string,
  tokenTypes,
  type VocabModel,
} from "./vocab.ts";

/** The files that a tokenizer is made of. */
export interface GgufTokenizer {
  /** Contents of tokenizer.json, tokenizer_config.json and, where there is one, chat_template.jinja. */
  readonly tokenizer: Json;
  readonly config?: Json;
  readonly chatTemplate?: string;
  /** Content of generation_config.json: ids that end a text. */
  readonly generation?: Json;
  /** The SentencePiece model that the tokenizer.json was made of: it has the scores. */
  readonly pieces?: SentencePieceModel;
}

/** The tokenizer as metadata, and what llama.cpp does otherwise. */
export interface TokenizerKeys {
  readonly keys: Record<string, GgufValue>;
  readonly notes: readonly string[];
}

const addedOf = (root: JsonFields): JsonFields[] =>
  Array.isArray(root.added_tokens) ? root.added_tokens.map((t: Json) => fieldsOf(t)) : [];

/** Which form a tokenizer.json has. */
const modelOf = (root: JsonFields, { pieces, config }: GgufTokenizer): VocabModel => {
  if (pieces !== undefined) return piecesModel(pieces);
  const model = fieldsOf(root.model);
  if (model.type === "Unigram") return unigramModel(root);
  if (model.type !== "BPE" && !Array.isArray(model.merges))
    return refuse(`has a model of type ${JSON.stringify(model.type ?? null)}`);
  return model.byte_fallback === true ? sentencePieceModel(root) : byteLevelModel(root, fieldsOf(config));
};

/** Tokens by id with their types; what the embedding has beyond the vocabulary is unused. */
const vocabularyOf = (model: VocabModel, added: readonly JsonFields[], rows: number) => {
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [id, token] of model.tokens) {
    tokens[id] = token;
    types[id] = model.types.get(id) ?? tokenTypes.normal;
  }
  for (const { content, id, special } of added) {
    if (typeof content !== "string" || typeof id !== "number")
      return refuse("has an added token without text or id");
    tokens[id] = content;
    if (types[id] !== tokenTypes.unknown)
      types[id] = special === false ? tokenTypes.userDefined : tokenTypes.control;
  }
  if (tokens.length > rows)
    refuse(`has ids up to ${tokens.length - 1}, and the model's embedding ${rows} rows`);
  for (let id = 0; id < rows; id++) {
    if (tokens[id] !== undefined) continue;
    tokens[id] = `[PAD${id}]`;
    types[id] = tokenTypes.unused;
  }
  return { tokens, types };
};

const contentOf = (token: Json | undefined): string | undefined => {
  const content = typeof token === "object" ? fieldsOf(token).content : token;
  return typeof content === "string" ? content : undefined;
};

const ROLES = { bos: "bos", eos: "eos", unk: "unknown", pad: "padding" } as const;

/** Ids of a role in config.json or generation_config.json, where one or a list of them may stand. */
const idsIn = (fields: JsonFields, role: string, count: number): number[] =>
  [fields[`${role}_token_id`] ?? []]
    .flat()
    .filter((id): id is number => typeof id === "number" && id >= 0 && id < count);

/**
 * The ids of special tokens: as the tokenizer's files name them, else the first that `others` have. Where a
 * list of those ends texts, the next of it ends a turn.
 */
const specialIds = (tokens: readonly string[], config: JsonFields, others: readonly JsonFields[]) => {
  const ids = new Map<string, number>();
  for (const [role, name] of Object.entries(ROLES)) {
    const content = contentOf(config[`${role}_token`]);
    const named = content === undefined ? -1 : tokens.indexOf(content);
    const lists = others.map((fields) => idsIn(fields, role, tokens.length));
    const id = named >= 0 ? named : lists.flat()[0];
    if (id === undefined) continue;
    ids.set(name, id);
    const turn = lists.find((list) => list.includes(id))?.find((other) => other !== id);
    if (role === "eos" && turn !== undefined) ids.set("eot", turn);
  }
  return ids;
};

/** Whether a text gets the token at its start or end: told, or read from the post-processor's template. */
const addsToken = (root: JsonFields, config: JsonFields, which: "bos" | "eos", token?: string): boolean => {
  const told = config[`add_${which}_token`];
  if (typeof told === "boolean") return told;
  const steps = [fieldsOf(root.post_processor)].flatMap((p) =>
    Array.isArray(p.processors) ? p.processors.map((x: Json) => fieldsOf(x)) : [p],
  );
  const single = steps.map((s) => s.single).find(Array.isArray) as readonly Json[] | undefined;
  const edge = fieldsOf(fieldsOf(which === "bos" ? single?.[0] : single?.at(-1)).SpecialToken);
  return token !== undefined && edge.id === token;
};

const templateOf = (files: GgufTokenizer, config: JsonFields): string | undefined => {
  if (files.chatTemplate !== undefined) return files.chatTemplate;
  const { chat_template: given } = config;
  if (typeof given === "string") return given;
  if (!Array.isArray(given)) return undefined;
  const named = given.map((t: Json) => fieldsOf(t));
  const found = (named.find((t) => t.name === "default") ?? named[0])?.template;
  return typeof found === "string" ? found : undefined;
};

/**
 * The metadata of a tokenizer for an embedding of `rows`; `model` is config.json, whose token ids count where
 * neither the tokenizer nor generation_config.json names any. Throws FormatError for kinds that llama.cpp
 * does not have.
 */
export const tokenizerKeys = (files: GgufTokenizer, rows: number, model: JsonFields): TokenizerKeys => {
  const root = fieldsOf(files.tokenizer);
  const config = fieldsOf(files.config);
  const vocab = modelOf(root, files);
  const { tokens, types } = vocabularyOf(vocab, addedOf(root), rows);
  const ids = specialIds(tokens, config, [fieldsOf(files.generation), model]);
  const template = templateOf(files, config);
  const adds = (which: "bos" | "eos"): GgufValue =>
    bool(addsToken(root, config, which, tokens[ids.get(which) ?? -1]));
  const keys: Record<string, GgufValue> = {
    "tokenizer.ggml.model": string(vocab.kind),
    "tokenizer.ggml.tokens": list("string", tokens),
    "tokenizer.ggml.token_type": list("int32", types),
    ...(vocab.scores === undefined
      ? {}
      : {
          "tokenizer.ggml.scores": list(
            "float32",
            tokens.map((_, id) => vocab.scores!.get(id) ?? -1e4),
          ),
        }),
    ...vocab.keys,
    ...Object.fromEntries(
      Array.from(ids, ([name, value]) => [`tokenizer.ggml.${name}_token_id`, { type: "uint32", value }]),
    ),
    "tokenizer.ggml.add_bos_token": adds("bos"),
    "tokenizer.ggml.add_eos_token": adds("eos"),
    ...(template === undefined ? {} : { "tokenizer.chat_template": string(template) }),
  };
  return { keys, notes: vocab.notes };
};
