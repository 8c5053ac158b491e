/** What each matrix of a model is: whoever edits weights need not know architectures by their names. */
import type { Layout, ParamSpec } from "../nn/param.ts";
import { flatten, type Tree } from "../util/tree.ts";

/**
 * What a matrix does. Attention: "q", "k" and "v" (or "qkv", all three in one) and "o"; MLP: "up", "gate" and
 * "down". "embedding" and "position" are looked up; "head" gives logits of the vocabulary, "labels" those of
 * a classifier, "transform" stands in front of a head.
 */
export type LinearRole =
  | "q"
  | "k"
  | "v"
  | "qkv"
  | "o"
  | "up"
  | "gate"
  | "down"
  | "embedding"
  | "position"
  | "transform"
  | "head"
  | "labels";

/** A matrix of a model. */
export interface LinearInfo {
  /** The weight's path. */
  readonly path: string;
  /** The path of the bias that is added to the product. */
  readonly bias?: string;
  readonly layout: Layout;
  /** The layer of its stack; absent outside of layers. */
  readonly layer?: number;
  readonly role: LinearRole;
  /** The activation that it multiplies, named alike for matrices that read the same; absent for lookups. */
  readonly reads?: string;
}

/** How a family names its matrices. */
export interface LinearNames {
  /** The end of a path, without ".weight", -> the role; the longest that fits counts. */
  readonly roles: Readonly<Record<string, LinearRole>>;
  /** Of matrices in layers; "nk" unless told. */
  readonly layout?: Layout;
  /** The part of a path that tells attention over an encoder's states from a layer's own. */
  readonly cross?: string;
  /** What gives logits of the vocabulary where no name tells it: a tied embedding; and a bias far from it. */
  readonly head?: { readonly path: string; readonly bias?: string } | undefined;
}

/** What matrices of a layer read: one activation for each name. */
const slots: Readonly<Partial<Record<LinearRole, string>>> = {
  ...{ q: "attention", k: "attention", v: "attention", qkv: "attention", o: "attended" },
  ...{ up: "mlp", gate: "mlp", down: "inner" },
};

const readsOf = (path: string, role: LinearRole, { cross, head }: LinearNames): string | undefined => {
  const slot = slots[role];
  if (slot === undefined) {
    if (role === "head" || path === head?.path) return "head";
    return role === "position" || role === "embedding" ? undefined : path;
  }
  const layer = /^.*?\.\d+(?=\.)/.exec(path)?.[0];
  if (cross === undefined || !path.includes(cross)) return `${layer}.${slot}`;
  // Keys and values of all layers read what the encoder gives.
  return role === "k" || role === "v" ? "encoded" : `${layer}.${cross}.${slot}`;
};

/** All matrices among a model's params, in their order. Throws Error for one that no name fits. */
export const linearsOf = (params: unknown, names: LinearNames): readonly LinearInfo[] => {
  const specs = flatten<ParamSpec>(params as Tree<ParamSpec>);
  const endings = Object.keys(names.roles).sort((a, b) => b.length - a.length);
  return Array.from(specs).flatMap(([path, { shape }]): LinearInfo[] => {
    const name = /^(.*)\.weight$/.exec(path)?.[1];
    if (name === undefined || shape.length !== 2) return [];
    const ending = endings.find((end) => name === end || name.endsWith(`.${end}`));
    if (ending === undefined) throw new Error(`${path} has no role`);
    const role = names.roles[ending]!;
    const layer = role in slots ? Number(/\.(\d+)\./.exec(path)?.[1]) : undefined;
    const reads = readsOf(path, role, names);
    const own = specs.has(`${name}.bias`) ? `${name}.bias` : undefined;
    const bias = path === names.head?.path ? (names.head.bias ?? own) : own;
    return [
      {
        path,
        ...(bias === undefined ? {} : { bias }),
        layout: layer === undefined ? "nk" : (names.layout ?? "nk"),
        ...(layer === undefined ? {} : { layer }),
        role,
        ...(reads === undefined ? {} : { reads }),
      },
    ];
  });
};

/**
 * The matrices that lose little when they are stored in fewer bits. Not positions, which are small and read
 * row by row, and not the projection to labels, whose rounding would go straight into the result.
 */
export const packable = (linears: readonly LinearInfo[]): ReadonlyMap<string, LinearInfo> =>
  new Map(
    linears.flatMap((info) =>
      info.role === "position" || info.role === "labels" ? [] : [[info.path, info] as const],
    ),
  );

/** Whether a matrix stands inside the model: neither a table nor what gives the logits. */
export const isInner = ({ role }: LinearInfo): boolean =>
  !["embedding", "position", "head", "labels"].includes(role);
