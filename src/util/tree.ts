/**
 * Trees: plain nested objects and arrays. A leaf is whatever has a `dtype`: a type, a Value, a Tensor, a
 * Weight. The dotted path of a leaf is its name everywhere: safetensors key, ONNX initializer, optimizer
 * mask, progress line.
 */
export type Tree<A> = A | readonly Tree<A>[] | { readonly [key: string]: Tree<A> };

/** The tree type `T` with its leaves of type `A` replaced by `B`. */
export type MapTree<T, A, B> = [Tree<A>] extends [T]
  ? Tree<B>
  : T extends A
    ? B
    : { readonly [K in keyof T]: MapTree<T[K], A, B> };

/** Whether `x` is a leaf: an object with a `dtype`. */
export const isLeaf = (x: unknown): boolean => typeof x === "object" && x !== null && "dtype" in x;

const join = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

/** The leaves of `tree` with their dotted paths, in insertion order. */
export function* entries<A>(tree: Tree<A>, path = ""): Generator<[path: string, leaf: A]> {
  if (isLeaf(tree)) {
    yield [path, tree as A];
    return;
  }
  for (const [key, child] of Object.entries(tree as object))
    yield* entries<A>(child as Tree<A>, join(path, key));
}

/** The leaves of `tree`, in insertion order. */
export const leaves = <A>(tree: Tree<A>): A[] => Array.from(entries(tree), ([, leaf]) => leaf);

/** `mapTree` without its types: the structure is the caller's, kept as it is. */
const mapped = (tree: unknown, fn: (leaf: never, path: string) => unknown, path: string): unknown => {
  if (isLeaf(tree)) return fn(tree as never, path);
  if (Array.isArray(tree)) return tree.map((child, i) => mapped(child, fn, join(path, String(i))));
  const children = Object.entries(tree as object);
  return Object.fromEntries(children.map(([key, child]) => [key, mapped(child, fn, join(path, key))]));
};

/** Applies `fn` to each leaf; the result has the same structure. */
// biome-ignore lint/suspicious/noExplicitAny: a tree of any structure unless told.
export const mapTree = <A, B, T = any>(
  tree: T,
  fn: (leaf: A, path: string) => B,
  path = "",
): MapTree<T, A, B> => mapped(tree, fn, path) as MapTree<T, A, B>;

/** A tree's leaves as a Map from dotted path to leaf. */
export const flatten = <A>(tree: Tree<A>): Map<string, A> => new Map(entries<A>(tree));

/**
 * Rebuilds a tree shaped like `like` from leaves by dotted path; `missing` decides what an absent leaf
 * becomes.
 */
// biome-ignore lint/suspicious/noExplicitAny: see mapTree.
export const unflatten = <A, B, T = any>(
  like: T,
  from: ReadonlyMap<string, B>,
  missing: (path: string, leaf: A) => B,
): MapTree<T, A, B> => mapTree<A, B, T>(like, (leaf, path) => from.get(path) ?? missing(path, leaf));
