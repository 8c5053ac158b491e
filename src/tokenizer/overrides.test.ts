/** Settings beside a tokenizer.json and files that are odd: ids of transformers 5.24 and tokenizers 0.23. */
import { describe, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import { type Json, loadTokenizer } from "./index.ts";

const special = (id: number, content: string, more = {}) => ({ id, content, special: true, ...more });
const bytes = "<s> </s> <unk> <pad> \u0120 h i a b < | > m t hi \u0120hi".split(" ");
const byteLevel = {
  added_tokens: ["<s>", "</s>", "<unk>", "<pad>"].map((token, id) => special(id, token)),
  normalizer: null,
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  post_processor: null,
  decoder: { type: "ByteLevel" },
  model: {
    type: "BPE",
    vocab: Object.fromEntries(bytes.map((token, id) => [token, id])),
    merges: ["h i", "\u0120 hi"],
  },
};
const bert = {
  added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]"].map((token, id) => special(id, token)),
  normalizer: { type: "BertNormalizer", lowercase: true, strip_accents: null },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 2] },
  decoder: null,
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    vocab: Object.fromEntries(
      "[PAD] [UNK] [CLS] [SEP] [MASK] the The cafe caf\u00e9 Caf\u00e9"
        .split(" ")
        .map((token, id) => [token, id]),
    ),
  },
};
const level = (added: object[], model: object = {}) => ({
  added_tokens: added,
  normalizer: null,
  pre_tokenizer: { type: "Whitespace" },
  post_processor: null,
  decoder: null,
  model: {
    type: "WordLevel",
    vocab: { "[UNK]": 0, hello: 1, world: 2, the: 3 },
    unk_token: "[UNK]",
    ...model,
  },
});
const idsOf = (json: object, text: string, config: object = {}, modelType?: string): number[] => {
  const tokenizer = loadTokenizer(json as Json, config as Json, modelType === undefined ? {} : { modelType });
  return [...tokenizer.encode(text, { special: true, template: true })];
};

describe("the class's own settings", () => {
  test.each<[object, number[], string?]>([
    [{ tokenizer_class: "BertTokenizer", do_lower_case: false }, [2, 6, 9, 3]],
    [{ tokenizer_class: "BertTokenizer" }, [2, 5, 7, 3]],
    [{ tokenizer_class: "DistilBertTokenizer", do_lower_case: false }, [2, 6, 9, 3]],
    [{ tokenizer_class: "BertTokenizerFast", do_lower_case: false, strip_accents: true }, [2, 6, 1, 3]],
    [{ tokenizer_class: "PreTrainedTokenizerFast", do_lower_case: false }, [2, 5, 7, 3]],
    [{ do_lower_case: false }, [2, 6, 9, 3], "bert"],
    [{ do_lower_case: false }, [2, 5, 7, 3], "llama"],
  ])("of BERT: %j", (config, expected, modelType) => {
    expect(idsOf(bert, "The Caf\u00e9", config, modelType)).toEqual(expected);
  });

  test.each<[object, number[], string?]>([
    [{ tokenizer_class: "GPT2Tokenizer", add_prefix_space: true }, [15, 15]],
    [{ tokenizer_class: "RobertaTokenizer", add_prefix_space: true }, [15, 15]],
    [{ tokenizer_class: "PreTrainedTokenizerFast", add_prefix_space: true }, [14, 15]],
    [{ add_prefix_space: true }, [15, 15], "gpt2"],
  ])("of GPT-2: %j", (config, expected, modelType) => {
    expect(idsOf(byteLevel, "hi hi", config, modelType)).toEqual(expected);
  });

  test("what is loaded is written out, and loads the same without them", () => {
    const loaded = loadTokenizer(byteLevel as Json, {
      tokenizer_class: "GPT2Tokenizer",
      add_prefix_space: true,
    });
    expect(idsOf(loaded.files().tokenizer as object, "hi")).toEqual([15]);
  });
});

describe("tokens that only the settings name come after the vocabulary", () => {
  const im = { content: "<|im|>", special: true };
  test.each<[string, object, number[]]>([
    ["nothing", {}, [14, 9, 10, 6, 12, 10, 11, 15, 4, 9, 10, 6, 7, 10, 11]],
    [
      "extra",
      { extra_special_tokens: ["<|ia|>"], additional_special_tokens: ["<|im|>"] },
      [14, 9, 10, 6, 12, 10, 11, 15, 4, 16],
    ],
    [
      "extra by name",
      { extra_special_tokens: { image_token: "<|im|>" } },
      [14, 16, 15, 4, 9, 10, 6, 7, 10, 11],
    ],
    ["a role", { pad_token: "<|ia|>" }, [14, 9, 10, 6, 12, 10, 11, 15, 4, 16]],
    ["the end", { eos_token: "<|im|>" }, [14, 16, 15, 4, 9, 10, 6, 7, 10, 11]],
    [
      "space around",
      { eos_token: { ...im, lstrip: true, rstrip: true } },
      [14, 16, 14, 4, 9, 10, 6, 7, 10, 11],
    ],
    [
      "a list, then a role",
      { pad_token: "<|ia|>", added_tokens_decoder: { 17: im, 16: { content: "<|x|>" } } },
      [14, 17, 15, 4, 18],
    ],
  ])("%s", (_, config, expected) => {
    expect(idsOf(byteLevel, "hi<|im|> hi <|ia|>", config)).toEqual(expected);
  });

  test("the list's flags hold", () => {
    const config = {
      added_tokens_decoder: { 0: { content: "<s>", special: true, lstrip: true, rstrip: true } },
    };
    expect(idsOf(byteLevel, "hi <s> hi")).toEqual([14, 4, 0, 15]);
    expect(idsOf(byteLevel, "hi <s> hi", config)).toEqual([14, 0, 14]);
    expect(loadTokenizer(byteLevel as Json, { eos_token: "<|im|>" }).eos).toBe(16);
  });

  test("the vocabulary's word for unknown ones is shown in texts, an end is not", () => {
    const json = level([], { vocab: { "<u>": 0, "<e>": 1, the: 2 }, unk_token: "<u>" }) as Json;
    const tokenizer = loadTokenizer(json, { unk_token: "<u>", eos_token: "<e>" });
    expect(tokenizer.decode([2, 0, 1])).toBe("the <u>");
    expect(tokenizer.specials.unk).toBe(0);
  });
});

describe("files that name few tokens, or too many", () => {
  test("without a special token a text can be encoded; what ends it is asked for in vain", () => {
    const tokenizer = loadTokenizer(level([]) as Json);
    expect([...tokenizer.encode("the zzz world")]).toEqual([3, 0, 2]);
    expect(() => tokenizer.eos).toThrow(FormatError);
  });

  test("an unknown token that the vocabulary lacks is missed where a text needs it", () => {
    const tokenizer = loadTokenizer(level([], { unk_token: "<gone>" }) as Json);
    expect([...tokenizer.encode("hello the")]).toEqual([1, 3]);
    expect(() => tokenizer.encode("zzz")).toThrow(/unk_token "<gone>", which a text needs/);
  });

  test("of two added tokens of one text the first counts, an empty one does not", () => {
    const twice = level([special(4, "<tok>"), special(5, "<tok>"), special(6, "")]);
    expect(idsOf(twice, "hello <tok> world")).toEqual([1, 4, 2]);
  });

  test("thousands of added tokens are found, the longest first", () => {
    const many = Array.from({ length: 3000 }, (_, i) => special(4 + i, `<${i}>`));
    expect(idsOf(level([...many, special(3004, "<7>>")]), "hello <7>> <2999><7>")).toEqual([
      1, 3004, 3003, 11,
    ]);
  });

  test.each<[string, object]>([
    ["an id of 4e9", level([special(4e9, "<tok>")])],
    ["a vocabulary with an id of 4e9", level([], { vocab: { "[UNK]": 0, a: 4e9 } })],
    [
      "characters with an id of 4e9",
      {
        ...level([]),
        decoder: { type: "Fuse" },
        model: {
          type: "BPE",
          merges: [],
          unk_token: "<unk>",
          vocab: { "<|endoftext|>": 0, "<unk>": 1, a: 2, b: 4e9 },
        },
      },
    ],
    [
      "a template's id beyond the vocabulary",
      {
        ...bert,
        post_processor: { type: "BertProcessing", sep: ["[SEP]", 3], cls: ["[CLS]", 1e9] },
      },
    ],
    [
      "hundreds of steps",
      { ...bert, normalizer: { type: "Sequence", normalizers: Array(999).fill({ type: "NFC" }) } },
    ],
    ["a strip of nothing", { ...bert, decoder: { type: "Strip", content: "", start: 1, stop: 1e9 } }],
    ["a long token", level([], { type: "Unigram", vocab: [["a".repeat(5000), 0]] })],
  ])("%s is refused", (_, json) => {
    expect(() => loadTokenizer(json as Json)).toThrow(FormatError);
  });
});

test("pairs are cut as the reference cuts them: the longer first, and of an odd room it keeps more", () => {
  const words = Array.from({ length: 20 }, (_, i) => `w${i}`);
  const vocab = Object.fromEntries(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ...words].map((token, id) => [token, id]),
  );
  const tokenizer = loadTokenizer({ ...bert, model: { ...bert.model, vocab } } as Json);
  const cut = (a: number, b: number, maxLength: number): number[] => {
    const text = words.slice(0, a).join(" ");
    const pair = words.slice(10, 10 + b).join(" ");
    const { typeIds } = tokenizer.encodeInputs(text, { pair, maxLength });
    return [typeIds.indexOf(1) - 2, typeIds.length - typeIds.indexOf(1) - 1];
  };
  expect([cut(5, 5, 8), cut(7, 4, 8), cut(4, 7, 8), cut(2, 9, 8), cut(9, 1, 8)]).toEqual([
    [2, 3],
    [3, 2],
    [2, 3],
    [2, 3],
    [4, 1],
  ]);
  expect([cut(5, 5, 12), cut(7, 4, 12), cut(4, 7, 12), cut(2, 9, 12)]).toEqual([
    [4, 5],
    [5, 4],
    [4, 5],
    [2, 7],
  ]);
});

test("the space between a prompt and what continues it is kept", () => {
  const pieces = ["<unk>", "<s>", "\u2581", "a", "b", "\u2581a", "\u2581b"];
  const tokenizer = loadTokenizer({
    ...level([special(1, "<s>")]),
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "\u2581" }, content: " " },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      unk_token: "<unk>",
      vocab: Object.fromEntries(pieces.map((p, i) => [p, i])),
      merges: [],
    },
  } as Json);
  const streamed = (prompt: number[]): string => {
    const stream = tokenizer.streamDecoder(prompt);
    return [5, 99, 6, 4].map((id) => stream.push(id)).join("") + stream.end();
  };
  expect(streamed([1, 5, 3])).toBe(" a bb");
  expect(streamed([5, 1])).toBe(" a bb");
  expect(streamed([1])).toBe("a bb");
  expect(streamed([])).toBe("a bb");
});
