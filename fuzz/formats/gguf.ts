import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ggmlReadTypes } from "../../src/formats/gguf/ggml.ts";
import { type GgufScalarType, type GgufValue, ggufTypes } from "../../src/formats/gguf/gguf.ts";
import { decodeGguf, type GgufHeader, parseGguf } from "../../src/formats/gguf/read.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize } from "../../src/nn/param.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import { gguf as ggufOf } from "../../src/ship/gguf/gguf.ts";
import { trainBpe } from "../../src/tokenizer/index.ts";
import { AnnealError } from "../../src/util/errors.ts";
import type { Rng } from "../../src/util/rng.ts";
import type { Format } from "../format.ts";
import { integers, type Mutate, mutateBytes, orBytes, pick } from "../mutate/bytes.ts";
import { folder } from "./folder.ts";
import { texts } from "./golden.ts";

const tokenizer = trainBpe(["the quick brown fox, don't they? 123 ".repeat(4)], { vocab: 264 });
const { tokenizer: json, config: tokenizerConfig } = tokenizer.files();

const small = {
  ...{
    vocab_size: 264,
    hidden_size: 32,
    intermediate_size: 32,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  },
  ...{ num_key_value_heads: 1, max_position_embeddings: 16, rms_norm_eps: 1e-5, rope_theta: 10000 },
};
const configs: readonly Readonly<Record<string, unknown>>[] = [
  { model_type: "gpt2", vocab_size: 264, n_positions: 16, n_embd: 32, n_layer: 1, n_head: 2 },
  { ...small, model_type: "llama" },
  { ...small, model_type: "qwen3", head_dim: 16 },
];

const seeds = configs.map((fields) => {
  const arch = architectures[fields.model_type as string]!;
  const config = arch.parse(fields);
  const model = { arch, config, weights: initialize(arch.params(config), 1), history: [] };
  const files = { tokenizer: json, config: tokenizerConfig };
  return new Uint8Array(Buffer.concat([...ggufOf(model, { type: "q8_0", tokenizer: files }).chunks]));
});

const little = (width: number, value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, width);
};
const text = (value: string): Buffer => {
  const bytes = Buffer.from(value);
  return Buffer.concat([little(8, BigInt(bytes.length)), bytes]);
};

const widths: Readonly<Partial<Record<GgufScalarType, number>>> = {
  ...{ uint8: 1, int8: 1, bool: 1, uint16: 2, int16: 2, uint32: 4, int32: 4, uint64: 8, int64: 8 },
};

const scalar = (type: GgufScalarType, value: unknown): Buffer => {
  if (type === "string") return text(String(value));
  if (type === "float32") return Buffer.from(Float32Array.of(Number(value)).buffer);
  if (type === "float64") return Buffer.from(Float64Array.of(Number(value)).buffer);
  const whole = typeof value === "bigint" ? value : BigInt(Math.trunc(Number(value)) || 0);
  return little(widths[type]!, whole);
};

const valueBytes = (value: GgufValue): Buffer => {
  const head = little(4, BigInt(ggufTypes[value.type]));
  if (value.type !== "array") return Buffer.concat([head, scalar(value.type, value.value)]);
  const items = Array.from(value.value, (one) => scalar(value.of, one));
  return Buffer.concat([
    head,
    little(4, BigInt(ggufTypes[value.of])),
    little(8, BigInt(items.length)),
    ...items,
  ]);
};

/** A file of these keys, its tensors and their data as they were. */
const encoded = (bytes: Uint8Array, keys: [string, GgufValue][], { places }: GgufHeader): Uint8Array => {
  const starts = Array.from(places.values(), ({ offset }) => offset);
  const data = Math.min(bytes.length, ...starts);
  const infos = Array.from(places, ([name, { shape, type, offset }]) => [
    text(name),
    little(4, BigInt(shape.length)),
    ...shape.toReversed().map((d) => little(8, BigInt(d))),
    little(4, BigInt(ggmlReadTypes[type].id)),
    little(8, BigInt(offset - data)),
  ]).flat();
  const head = Buffer.concat([
    ...[Buffer.from("GGUF"), little(4, 3n), little(8, BigInt(places.size)), little(8, BigInt(keys.length))],
    ...keys.flatMap(([key, value]) => [text(key), valueBytes(value)]),
    ...infos,
  ]);
  return new Uint8Array(
    Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), bytes.subarray(data)]),
  );
};

const scalarTypes = Object.keys(ggufTypes).filter((type) => type !== "array") as GgufScalarType[];

const odd = (random: Rng): GgufValue => {
  const type = pick(random, scalarTypes);
  const one = (): number | bigint | string =>
    type === "string"
      ? pick(random, ["", "llama", "gpt2", "bert", "é😀", "x".repeat(2000), "{% for"])
      : type.startsWith("float")
        ? pick(random, [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 1e300])
        : pick(random, integers);
  if (random.int(3) > 0) return { type, value: one() };
  return { type: "array", of: type, value: Array.from({ length: pick(random, [0, 1, 264, 3000]) }, one) };
};

const changes: readonly ((keys: [string, GgufValue][], at: number, random: Rng) => void)[] = [
  (keys, at) => void keys.splice(at, 1),
  (keys, at) => void keys.push(keys[at]!),
  (keys, at, random) => void keys.splice(at, 1, [keys[at]![0], odd(random)]),
  (keys, at, random) => void keys.splice(at, 1, [keys[at]![0], pick(random, keys)[1]]),
  (keys, at, random) => void keys.splice(at, 1, [pick(random, keys)[0], keys[at]![1]]),
  // A value of its own type, or a list with another length or an odd element.
  (keys, at, random) => {
    const [key, value] = keys[at]!;
    if (value.type !== "array") {
      const number = value.type === "string" ? "gpt2" : pick(random, integers);
      keys[at] = [key, { type: value.type, value: number }];
      return;
    }
    const items = Array.from(value.value);
    const place = random.int(items.length + 1);
    if (random.int(2) === 0) items.splice(place, random.int(8));
    else
      items.splice(
        place,
        0,
        value.of === "string" ? pick(random, ["", "a", "Ġ", "é"]) : pick(random, integers),
      );
    keys[at] = [key, { ...value, value: items }];
  },
];

const change: Mutate = (bytes, random, others) => {
  try {
    const header = parseGguf(bytes, "x.gguf");
    if (header === undefined) return mutateBytes(bytes, random, others);
    const keys = [...header.metadata];
    if (keys.length === 0) return mutateBytes(bytes, random, others);
    pick(random, changes)(keys, random.int(keys.length), random);
    return encoded(bytes, keys, header);
  } catch (error) {
    if (error instanceof AnnealError) return mutateBytes(bytes, random, others);
    throw error;
  }
};

const path = join(await folder(), "x.gguf");

export const gguf: Format = {
  seeds,
  mutate: orBytes(change, 3),
  read: async (bytes) => {
    decodeGguf(bytes, path);
    writeFileSync(path, bytes);
    const { tokenizer: made } = await loadFolder(path);
    for (const one of texts) made.decode(made.encode(one, { special: true, template: true }));
  },
};
