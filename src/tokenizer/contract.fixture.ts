/** Texts, tokenizers made of them, and the reference, for the tests of what every tokenizer keeps. */
import fc from "fast-check";
import { charTokenizer, type Tokenizer, trainBpe } from "./index.ts";

export const corpus = [
  "The quick brown fox jumps over the lazy dog. The dog's owner wasn't there; they'll see, we've been, I'm, he'd.\n",
  "def f(x):\n\treturn x  +  1  # \u00fcber na\u00efve caf\u00e9\r\n\r\n    indented\n\n\n",
  "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f \u041f\u0440\u0438\u0432\u0435\u0442 \ud83d\ude00\ud83d\udc68\u200d\ud83d\udc69\u200d\ud83d\udc67 12345 3.14",
  "the the the them then there these those a b c aa aaa aaaa",
];

export const hostile = [
  "",
  " ",
  "   \n\n\t \r\n x",
  "<|endoftext|> <unk> <|endoftext|",
  "emoji \ud83d\ude00\ud83c\udffd\u200d\u2642\ufe0f \ud83c\uddeb\ud83c\uddf7 e\u0301 \u0000\u0001\u001b[31m\u007f\u0085\u00a0\u2028\ufeffend",
  "CRLF\r\nline\rold\n\ttab\u000b\u000c",
  "\u4e2d\u6587\u5b57\u7b26 \ud840\udc00 \ud55c\uad6d\uc5b4 \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
  "'s 't 're 've 'm 'll 'd 'S ''s don't  'll",
  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
  "\u0661\u0662\u0663 \u2167 \u00bd x\u00b2 __proto__ constructor",
];

export const unicode = fc.string({ unit: "binary", maxLength: 80 });

export const repeated = [...corpus, ...corpus, ...corpus];

export const bpe = trainBpe(repeated, {
  vocab: 420,
  specialTokens: ["<|endoftext|>", "<|end|>", "<|endoftext|>x"],
});

export const char = charTokenizer(corpus);

export const idsOf = (tokenizer: Tokenizer, text: string, special = true): number[] => [
  ...tokenizer.encode(text, { special }),
];
