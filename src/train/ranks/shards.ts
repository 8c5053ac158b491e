/** Params divided among ranks: each owns whole tensors, of about as many numbers as the others'. */
import { sizeOf, type TensorType } from "../../ir/tensor.ts";
import { ConfigError } from "../../util/errors.ts";
import { entries, type Tree } from "../../util/tree.ts";

/** Types by dotted path. */
export type Shard = Readonly<Record<string, TensorType>>;

/** Divides `params` into `count` shards, the largest tensor first to the smallest shard. */
export const shardsOf = (params: Tree<TensorType>, count: number): readonly Shard[] => {
  const all = [...entries<TensorType>(params)];
  if (count > all.length) {
    throw new ConfigError(`${count} replicas share ${all.length} tensors: one would have nothing to do`, {
      field: "train.replicas",
    });
  }
  const shards = Array.from({ length: count }, () => ({ size: 0, paths: new Set<string>() }));
  for (const [path, { shape }] of all.toSorted(([, a], [, b]) => sizeOf(b.shape) - sizeOf(a.shape))) {
    const smallest = shards.reduce((a, b) => (b.size < a.size ? b : a));
    smallest.size += sizeOf(shape);
    smallest.paths.add(path);
  }
  // In the order of the model, whatever the sizes.
  return shards.map(({ paths }) => Object.fromEntries(all.filter(([path]) => paths.has(path))));
};
