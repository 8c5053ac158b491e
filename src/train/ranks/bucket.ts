/**
 * Buckets: the small params of a model stored as two vectors, one of matrices and one of the rest. An
 * optimizer that treats each element by itself then runs a dozen ops on two long tensors instead of on each
 * of dozens of short ones.
 */
import type { Value } from "../../ir/op.ts";
import { sizeOf, type Tensor, type TensorType } from "../../ir/tensor.ts";
import { partsOf, reshape } from "../../ops/structure.ts";
import { entries, mapTree, type Tree } from "../../util/tree.ts";

/**
 * Tensors above this many elements are long enough to stand alone; bucketed they would only leave the cache.
 */
const SMALL = 1 << 17;

/** Params in the form that the step stores them in, and the way back. */
export interface Bucket {
  /**
   * Types of the stored tensors, by path; vectors of matrices have two dimensions, so that decay masks see
   * matrices.
   */
  readonly stored: Tree<TensorType>;
  /** The params as the model knows them. */
  unpack(stored: Tree<Value>): Tree<Value>;
  /**
   * The numbers of each param, as views of stored tensors. What stands before a stored path in a name stays
   * there: "opt.m.bucket.matrices" becomes "opt.m.h.0.weight" and so on.
   */
  view(stored: ReadonlyMap<string, Tensor>): Map<string, Tensor>;
}

const keyOf = (type: TensorType): string => {
  if (sizeOf(type.shape) > SMALL) return "";
  return type.shape.length >= 2 ? "matrices" : "vectors";
};

interface Group {
  readonly members: { readonly path: string; readonly type: TensorType; readonly start: number }[];
  size: number;
}

const groupsOf = (params: Tree<TensorType>): Map<string, Group> => {
  const groups = new Map<string, Group>();
  for (const [path, type] of entries<TensorType>(params)) {
    const key = keyOf(type);
    if (key === "") continue;
    const group = groups.get(key) ?? { members: [], size: 0 };
    group.members.push({ path, type, start: group.size });
    group.size += sizeOf(type.shape);
    groups.set(key, group);
  }
  return groups;
};

const typeOf = (key: string, { size }: Group): TensorType => ({
  dtype: "float32",
  shape: key === "matrices" ? [1, size] : [size],
});

const viewsOf = (groups: ReadonlyMap<string, Group>, name: string, whole: Tensor): [string, Tensor][] => {
  const [, prefix, key] = /^(.*\.|)bucket\.(\w+)$/.exec(name) ?? [];
  if (key === undefined) return [[name, whole]];
  return groups.get(key)!.members.map(({ path, type, start }) => {
    const data = whole.data.subarray(start, start + sizeOf(type.shape));
    return [`${prefix}${path}`, { dtype: type.dtype, shape: type.shape as number[], data }];
  });
};

/** How the params of these types are stored in buckets. */
export const bucket = (params: Tree<TensorType>): Bucket => {
  const groups = groupsOf(params);
  const alone = [...entries<TensorType>(params)].filter(([, type]) => keyOf(type) === "");
  const bucketed = Array.from(groups, ([key, group]) => [key, typeOf(key, group)] as const);
  return {
    stored: { ...Object.fromEntries(alone), bucket: Object.fromEntries(bucketed) },
    unpack: (stored) => {
      const given = new Map(entries<Value>(stored));
      for (const [key, { members, size }] of groups) {
        const whole = reshape(given.get(`bucket.${key}`)!, [size]);
        const parts = partsOf(
          whole,
          members.map(({ type }) => sizeOf(type.shape)),
        );
        members.forEach(({ path, type }, i) => {
          given.set(path, reshape(parts[i]!, type.shape));
        });
      }
      return mapTree<TensorType, Value>(params, (_, path) => given.get(path)!);
    },
    view: (stored) => new Map(Array.from(stored).flatMap(([name, t]) => viewsOf(groups, name, t))),
  };
};

/** Params stored as they are. */
export const unbucketed = (params: Tree<TensorType>): Bucket => ({
  stored: params,
  unpack: (stored) => stored,
  view: (stored) => new Map(stored),
});
