import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  bytesField,
  concat,
  type Encoded,
  floatField,
  intField,
  messageField,
  textField,
  toBytes,
} from "../../src/formats/onnx/protobuf.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import type { Format } from "../format.ts";
import { mutateWire } from "../mutate/wire.ts";
import { folder } from "./folder.ts";
import { tokenization } from "./golden.ts";
import { used } from "./tokenizer.ts";

type Pieces = readonly (readonly [piece: string, score: number])[];

const types: Readonly<Record<string, number>> = { "<unk>": 2, "<s>": 3, "</s>": 3, "<pad>": 3 };

const model = (pieces: Pieces, kind: number, charsmap: string): Uint8Array => {
  const piece = ([text, score]: Pieces[number]): Encoded =>
    messageField(1, [
      textField(1, text),
      floatField(2, score),
      intField(3, text.startsWith("<0x") ? 6 : (types[text] ?? 1)),
    ]);
  const normalizer = [bytesField(2, Buffer.from(charsmap, "base64")), intField(3, 1), intField(4, 1)];
  return toBytes(
    concat([
      ...pieces.map(piece),
      messageField(2, [intField(3, kind), intField(35, 0)]),
      messageField(3, normalizer),
    ]),
  );
};

const { t5, llama } = tokenization.kinds;
const unigram = t5!.json.model.vocab as Pieces;
const bpe = Object.entries(llama!.json.model.vocab as Record<string, number>).map(
  ([text, id]) => [text, -id] as const,
);
const { normalizers } = t5!.json.normalizer as {
  normalizers: readonly { readonly precompiled_charsmap: string }[];
};

const dir = await folder();

export const sentencepiece: Format = {
  seeds: [
    model(unigram.slice(0, 300), 1, normalizers[0]!.precompiled_charsmap),
    model(bpe.slice(0, 400), 2, ""),
    model(unigram.slice(0, 20), 1, ""),
  ],
  mutate: mutateWire,
  read: async (bytes) => {
    writeFileSync(join(dir, "tokenizer.model"), bytes);
    used(await readTokenizer(dir));
  },
};
