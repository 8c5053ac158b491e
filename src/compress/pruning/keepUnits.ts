/** A model with some of its neurons and heads: smaller matrices, and a config that says so. */
import type { Tensor, TensorType } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, mapTree, type Tree } from "../../util/tree.ts";
import { derived } from "../pass.ts";
import { gathered } from "./gathered.ts";
import { inputAxis, outputAxis, type UnitKind, type Units, unitsOf } from "./units.ts";

/** The units that stay, by index, ascending; by the name of their layer's units. */
export type KeptUnits = ReadonlyMap<string, readonly number[]>;

interface Edit {
  readonly axis: number;
  readonly ids: readonly number[];
}

/** Indices of units of `each` neighbours. */
const spelled = (kept: readonly number[], each: number): number[] =>
  kept.flatMap((unit) => Array.from({ length: each }, (_, i) => unit * each + i));

const editsOf = (units: readonly Units[], kept: KeptUnits): Map<string, Edit[]> => {
  const edits = new Map<string, Edit[]>();
  const add = (path: string, axis: number, ids: readonly number[]) =>
    edits.set(path, [...(edits.get(path) ?? []), { axis, ids }]);
  for (const { name, reader, each, writers, table } of units) {
    const own = kept.get(name)!;
    add(reader.path, inputAxis(reader), spelled(own, each));
    for (const { info, each: outputs } of writers) {
      add(info.path, outputAxis(info), spelled(own, outputs));
      if (info.bias !== undefined) add(info.bias, 0, spelled(own, outputs));
    }
    // The table is the whole stack's.
    if (table !== undefined) edits.set(table, [{ axis: 1, ids: own }]);
  }
  return edits;
};

const counted = (units: readonly Units[], kept: KeptUnits): Record<string, number> =>
  Object.fromEntries(
    units.flatMap(({ name, fields }) =>
      Object.entries(fields).map(([field, per]) => [field, per * kept.get(name)!.length]),
    ),
  );

/** Throws ConfigError where layers would keep different numbers, which no config here can say. */
const checkCounts = (units: readonly Units[], kept: KeptUnits): void => {
  const counts = new Map<string, number>();
  for (const { name, fields, kind, count } of units) {
    const own = kept.get(name)?.length ?? 0;
    const field = Object.keys(fields)[0]!;
    const first = counts.get(field) ?? own;
    counts.set(field, first);
    if (own < 1 || own > count || own !== first) {
      throw new ConfigError(`of ${name} would be ${own}, of ${count}, and ${first} elsewhere`, {
        field: `prune.${kind}`,
        hint: `${field} counts those of all layers: keep as many in each`,
      });
    }
  }
};

/**
 * The model with the units `kept` alone. It computes what the whole one does with the outputs of the others
 * at 0. Throws ConfigError for layers that would differ in size, for families whose config cannot say it,
 * and for weights that are packed.
 */
export const keepUnits = (model: Model, kind: UnitKind, kept: KeptUnits): Model => {
  const units = unitsOf(model, kind);
  checkCounts(units, kept);
  const { arch } = model;
  const sizes = counted(units, kept);
  const config = arch.parse({ ...(model.config as object), ...sizes });
  const edits = editsOf(units, kept);
  const wanted = flatten<TensorType>(arch.params(config) as Tree<TensorType>);
  const weights = mapTree<Weight, Weight>(model.weights, (weight, path) => {
    const own = edits.get(path);
    if (own === undefined) return weight;
    if (isPacked(weight)) {
      throw new ConfigError("is packed: the layers of a quantized model are not cut", { field: path });
    }
    const cut = own.reduce<Tensor>((tensor, { axis, ids }) => gathered(tensor, axis, ids), weight);
    if (cut.shape.join() !== wanted.get(path)!.shape.join())
      throw new Error(`${path} is cut to ${cut.shape}`);
    return cut;
  });
  const pass = { name: "keepUnits", options: { kind, ...sizes } };
  return derived(model, pass, { config, weights });
};
