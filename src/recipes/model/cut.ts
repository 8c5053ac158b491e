/** A folder's model with the vocabulary that the user's text needs, and no more. */
import { cutVocabulary, idsNamedIn, withNewIds } from "../../compress/cutVocabulary.ts";
import type { Model } from "../../models/model.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import type { Material } from "../../tasks/task.ts";
import { textsOf } from "../../template/chat.ts";
import { cutTokenizer } from "../../tokenizer/cut.ts";
import { loadTokenizer, type Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import type { UserData } from "../data/userData.ts";
import type { Source } from "./source.ts";

/** Vocabularies in other forms, which would say otherwise. */
const OTHER_FORMS = [
  ...["vocab.json", "vocab.txt", "merges.txt", "added_tokens.json", "spiece.model", "tokenizer.model"],
  ...["sentencepiece.bpe.model", "spm.model", "source.spm", "target.spm"],
];

/** What a cut concerns. */
export interface Cuttable {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly source: Source;
}

/** The ids that a corpus has. Labels among an example's numbers only keep a few tokens more. */
const idsIn = (material: Material): Set<number> => {
  const used = new Set<number>();
  const all = (ids: ArrayLike<number>): void => {
    for (let i = 0; i < ids.length; i++) used.add(ids[i]!);
  };
  if (material.kind === "text") {
    const { train } = material;
    const step = 1 << 20;
    for (let at = 0; at < train.length; at += step)
      all(train.subarray(at, Math.min(train.length, at + step)));
    all(material.validation);
    return used;
  }
  for (const part of [material.train, material.validation])
    for (const example of part) {
      if ("source" in example) for (const ids of [example.source, example.target]) all(ids);
      else for (const ids of Object.values(example.parts)) all(ids);
    }
  return used;
};

const decoder = new TextDecoder();

/** What the chat templates among a folder's files write around messages. */
const framingOf = (files: ReadonlyMap<string, Uint8Array>): string[] =>
  Array.from(files).flatMap(([name, bytes]) =>
    name.endsWith(".jinja") ? textsOf(decoder.decode(bytes)) : [],
  );

/**
 * The model, its tokenizer and what its folder passes on, with the tokens `used`, those that their files name
 * and those that chat templates write. Throws ConfigError where source and target have vocabularies of their
 * own, and as `cutTokenizer` and `cutVocabulary` do.
 */
const cutFolder = ({ model, tokenizer, source }: Cuttable, used: ReadonlySet<number>): Cuttable => {
  if (tokenizer.target !== undefined) {
    throw new ConfigError("is not cut where the two languages have pieces of their own", {
      field: "model.cutVocab",
      hint: "leave --cut-vocab out",
    });
  }
  const named = [model.config, source.config.fields, source.generation?.fields].flatMap(idsNamedIn);
  const framing = framingOf(source.files).flatMap((text) => Array.from(tokenizer.encode(text)));
  const { files, ids } = cutTokenizer(tokenizer.files(), new Set([...used, ...named, ...framing]));
  const small = cutVocabulary(model, ids);
  const carried = new Map(source.files);
  for (const name of OTHER_FORMS) carried.delete(name);
  carried.set("tokenizer.json", jsonBytes(files.tokenizer));
  carried.set("tokenizer_config.json", jsonBytes(files.config));
  const renumber = <T extends { readonly fields: object }>(of: T): T => ({
    ...of,
    fields: withNewIds(of.fields, ids),
  });
  const { generation } = source;
  return {
    model: small,
    tokenizer: loadTokenizer(files.tokenizer, files.config, { modelType: model.config.model_type }),
    source: {
      ...source,
      files: carried,
      config: renumber(source.config),
      ...(generation === undefined ? {} : { generation: renumber(generation) }),
    },
  };
};

/** A model with the data that it reads. */
export type WithData = Cuttable & {
  readonly data: UserData;
  /** The model before it was cut, where it was. */
  readonly whole?: Cuttable & { readonly data: UserData };
};

/**
 * The data that `read` gives a model: with its whole vocabulary, or, where it is to be cut, with the tokens
 * that the data has, under their new ids. Throws as `cutFolder` and `read` do.
 */
export const readingData = async (
  whole: Cuttable,
  { cutVocab = false, hooks }: { readonly cutVocab?: boolean | undefined; readonly hooks: RecipeHooks },
  read: (given: Cuttable, told: RecipeHooks) => Promise<UserData>,
): Promise<WithData> => {
  const data = await read(whole, hooks);
  if (!cutVocab) return { ...whole, data };
  const cut = cutFolder(whole, idsIn(data.material));
  const [from, to] = [whole, cut].map(({ model }) => model.config.vocab_size);
  hooks.ui.line(`vocabulary: ${to} of ${from} tokens, those of the text and what any other is written with`);
  // The same text; what was told of it once is not told again.
  return { ...cut, data: await read(cut, { ...hooks, ui: silent }), whole: { ...whole, data } };
};
