import { describe, expect, test } from "vitest";
import { type Tensor, tensorOf } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { decodeIndex, encodeIndex, joinShards, planShards, shardName } from "./safetensorsIndex.ts";

const names = ["a", "__proto__", "constructor", 'quote " \\'];
const tensors = new Map<string, Tensor>(names.map((name, i) => [name, tensorOf("float32", [2], [i, i])]));

const refusal = (text: string): FormatError => {
  try {
    decodeIndex(text, "index.json");
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).details.file).toBe("index.json");
    return error as FormatError;
  }
  throw new Error("was accepted");
};

test("shards keep to the size, in order; a tensor larger than it stands alone", () => {
  expect(planShards(tensors, 16)).toEqual([
    ["a", "__proto__"],
    ["constructor", 'quote " \\'],
  ]);
  expect(planShards(tensors, 4)).toEqual(names.map((name) => [name]));
  expect(shardName(0, 3)).toBe("model-00001-of-00003.safetensors");
});

test("an index reads back and joins", () => {
  const shards = planShards(tensors, 16);
  const text = encodeIndex(shards, tensors);
  expect(JSON.parse(text).metadata).toEqual({ total_size: 32 });
  const index = decodeIndex(text);
  expect([...index.keys()]).toEqual(names);
  const files = new Map(
    shards.map((list, i) => [shardName(i, 2), new Map(list.map((n) => [n, tensors.get(n)!]))]),
  );
  expect(joinShards(index, files)).toEqual(tensors);
});

test.each([
  ["not JSON", "{", undefined],
  ["no object", "[]", undefined],
  ["no map", '{"weight_map":[]}', undefined],
  ["parent folder", '{"weight_map":{"a":"../x.safetensors"}}', "a"],
  ["absolute", '{"weight_map":{"a":"/x.safetensors"}}', "a"],
  ["backslash", '{"weight_map":{"a":"..\\\\x.safetensors"}}', "a"],
  ["dots", '{"weight_map":{"a":"x..safetensors"}}', "a"],
  ["NUL", '{"weight_map":{"a":"x\\u0000.safetensors"}}', "a"],
  ["line end", '{"weight_map":{"a":"x.safetensors\\n"}}', "a"],
  ["pickle", '{"weight_map":{"a":"x.bin"}}', "a"],
  ["number", '{"weight_map":{"a":1}}', "a"],
  ["null", '{"weight_map":{"__proto__":null}}', "__proto__"],
])("a bad index is refused: %s", (_, text, tensor) => {
  expect(refusal(text).details.tensor).toBe(tensor);
});

test("a name given twice is refused, also if spelt in another way", () => {
  const text = '{"weight_map":{"é":"x.safetensors","b":"x.safetensors","\\u0062":"y.safetensors"}}';
  const { tensor, offset } = refusal(text).details;
  expect(tensor).toBe("b");
  expect(offset).toBe(Buffer.byteLength(text.slice(0, text.indexOf('"\\u0062"'))));
  expect(refusal('{"weight_map":{"a":"x.safetensors"},"weight_map":{}}').details.tensor).toBe("weight_map");
  expect(decodeIndex('{"metadata":{"a":1},"weight_map":{"a":"x.safetensors"}}').size).toBe(1);
});

describe("joining", () => {
  const index = new Map([
    ["a", "x"],
    ["b", "y"],
  ]);
  const [one, two] = [1, 2].map((n) => tensorOf("int8", [], [n])) as [Tensor, Tensor];
  const shard = (names: string, t: Tensor) => new Map([...names].map((name) => [name, t]));
  const join = (x: string, y: string) =>
    Object.fromEntries(
      joinShards(
        index,
        new Map([
          ["x", shard(x, one)],
          ["y", shard(y, two)],
        ]),
      ),
    );

  test("a tensor that the index does not list, or seeks elsewhere, is where it is", () => {
    expect(join("ac", "b")).toEqual({ a: one, b: two, c: one });
    expect(join("ab", "")).toEqual({ a: one, b: one });
  });

  test("of a tensor in two shards the index's is taken", () => {
    expect(join("ab", "ab")).toEqual({ a: one, b: two });
    expect(() => join("abc", "bc")).toThrow(/"c": is in x too, and the index does not say which/);
  });

  test("a tensor that is nowhere is refused", () => {
    expect(() => join("a", "c")).toThrow(/"b": is named by the index and is not there/);
  });
});
