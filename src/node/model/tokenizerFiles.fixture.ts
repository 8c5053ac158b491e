/** Folders with tokenizer files of the reference's vocabularies, and a writer of SentencePiece models. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

type Row = { ids: number[]; template: number[] | null; plain: number[] | null; text: string };

interface Added {
  readonly id: number;
  readonly content: string;
}

export interface Root {
  readonly added_tokens: readonly Added[];
  readonly model: { vocab: unknown; merges: [string, string][] };
  readonly normalizer: { normalizers: { precompiled_charsmap: string }[] };
}

export const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/tokenization.json", import.meta.url), "utf8"),
) as { hostile: string[]; kinds: Record<string, { json: Root; config: object; rows: Row[] }> };

export const root = mkdtempSync(join(tmpdir(), "anneal-tokenizers-"));

afterAll(() => rmSync(root, { recursive: true, force: true }));

export const folder = (files: Record<string, unknown>): string => {
  const dir = mkdtempSync(join(root, "model-"));
  for (const [name, content] of Object.entries(files)) {
    const raw = typeof content === "string" || content instanceof Uint8Array;
    writeFileSync(join(dir, name), raw ? content : JSON.stringify(content));
  }
  return dir;
};

export const kind = (name: string) => golden.kinds[name]!;

export const jsonOf = (name: string): Root => kind(name).json;

/** Writes a SentencePiece model: the protobuf that `readSentencePiece` reads. */
const varint = (value: number): number[] => {
  const out: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest % 128) + 128);
  return [...out, rest];
};

const block = (number: number, bytes: ArrayLike<number>): number[] => [
  ...varint(number * 8 + 2),
  ...varint(bytes.length),
  ...Array.from(bytes),
];

const flag = (number: number, value: number): number[] => [...varint(number * 8), ...varint(value)];

interface Spm {
  readonly pieces: readonly (readonly [piece: string, score: number])[];
  readonly type: (piece: string) => number;
  readonly model: number;
  readonly charsmap?: string;
  readonly collapse?: boolean;
}

export const spm = ({ pieces, type, model, charsmap = "", collapse = true }: Spm): Uint8Array => {
  const utf8 = new TextEncoder();
  const listed = pieces.flatMap(([piece, score]) => {
    const bits = new Uint8Array(new Float32Array([score]).buffer);
    return block(1, [...block(1, utf8.encode(piece)), 2 * 8 + 5, ...bits, ...flag(3, type(piece))]);
  });
  const trainer = [...flag(3, model), ...flag(35, pieces.some(([p]) => p === "<0x00>") ? 1 : 0)];
  const normalizer = [
    ...block(2, Buffer.from(charsmap, "base64")),
    ...flag(3, 1),
    ...flag(4, collapse ? 1 : 0),
  ];
  return Uint8Array.from([...listed, ...block(2, trainer), ...block(3, normalizer)]);
};

export const typeOf = (piece: string): number => {
  if (piece.startsWith("<0x")) return 6;
  return ({ "<unk>": 2, "<s>": 3, "</s>": 3, "<pad>": 3 } as Record<string, number>)[piece] ?? 1;
};

export const t5Pieces = jsonOf("t5").model.vocab as [string, number][];

export const charsmap = jsonOf("t5").normalizer.normalizers[0]!.precompiled_charsmap;

export const unigram = spm({ pieces: t5Pieces, type: typeOf, model: 1, charsmap });
