import {
  decodeIndex,
  encodeIndex,
  joinShards,
  planShards,
} from "../../src/formats/safetensors/safetensorsIndex.ts";
import { zeros } from "../../src/ir/tensor.ts";
import type { Format } from "../format.ts";
import { mutateJson } from "../mutate/json.ts";

const tensors = new Map(
  ["a.weight", "b.weight", "c.bias"].map((n) => [n, zeros({ dtype: "float32", shape: [4] })]),
);

const shards = new Map([
  ["model-00001-of-00002.safetensors", new Map([...tensors].slice(0, 2))],
  ["model-00002-of-00002.safetensors", new Map([...tensors].slice(2))],
]);

export const safetensorsIndex: Format = {
  seeds: [new TextEncoder().encode(encodeIndex(planShards(tensors, 32), tensors))],
  mutate: mutateJson,
  read: (bytes) => joinShards(decodeIndex(Buffer.from(bytes).toString("utf8")), shards),
};
