/**
 * What can be cut out of a layer whole: a neuron of an MLP, a head of attention, and where several query
 * heads share a key and a value that group. A unit is written by outputs of some matrices and read as inputs
 * of one.
 */
import type { TensorType } from "../../ir/tensor.ts";
import type { LinearInfo, LinearRole } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";

/** What units are. */
export type UnitKind = "neurons" | "heads";

/** The units of one layer's MLP or attention. */
export interface Units {
  readonly kind: UnitKind;
  /** "model.layers.0.inner" */
  readonly name: string;
  readonly count: number;
  /** The matrix that reads units, and how many of its inputs each is. */
  readonly reader: LinearInfo;
  readonly each: number;
  /** The matrices that write them, and how many of a matrix's outputs each is. */
  readonly writers: readonly { readonly info: LinearInfo; readonly each: number }[];
  /** A table [rows, heads] with a column for each query head; which layers share it says `shared`. */
  readonly table?: string;
  /** Units of one name are the same in all layers: they read one table. */
  readonly shared?: string;
  /** Config fields that count the units, and what a unit counts for in each. */
  readonly fields: Readonly<Record<string, number>>;
}

/** The axis of a matrix's inputs. */
export const inputAxis = ({ layout }: LinearInfo): 0 | 1 => (layout === "kn" ? 0 : 1);
/** The axis of a matrix's outputs. */
export const outputAxis = ({ layout }: LinearInfo): 0 | 1 => (layout === "kn" ? 1 : 0);

type Shapes = ReadonlyMap<string, TensorType>;

const size = (shapes: Shapes, { path }: LinearInfo, axis: number): number =>
  shapes.get(path)!.shape[axis] as number;

/** The path of the module that a matrix's module is part of. */
const parentOf = (path: string): string => path.split(".").slice(0, -2).join(".");

const neurons = (model: Model, infos: readonly LinearInfo[], shapes: Shapes): Units[] => {
  const fields = Object.entries(model.arch.widths.neurons);
  if (fields.length === 0) {
    throw new ConfigError(`of ${model.arch.name} cannot be cut: no matrix has them alone`, {
      field: "prune.neurons",
      hint: "cut --layers",
    });
  }
  return infos
    .filter(({ role }) => role === "down")
    .map((reader) => {
      const from = reader.reads!.replace(/inner$/, "mlp");
      const writers = infos.filter(({ role, reads }) => (role === "up" || role === "gate") && reads === from);
      const [, field] = fields.find(([stack]) => reader.path.startsWith(stack))!;
      return {
        ...{ kind: "neurons", name: reader.reads!, count: size(shapes, reader, inputAxis(reader)) },
        ...{ reader, each: 1, writers: writers.map((info) => ({ info, each: 1 })), fields: { [field]: 1 } },
      };
    });
};

/** The beginning of a path in front of its layer: its stack. */
const stackOf = (path: string): string => /^(.*?)\.\d+\./.exec(path)![1]!;

/** The units of attention. Throws ConfigError where the config ties heads to the hidden width. */
const heads = ({ arch, config }: Model, infos: readonly LinearInfo[], shapes: Shapes): Units[] => {
  const { heads: names } = arch.widths;
  if (names === undefined) {
    throw new ConfigError(`of ${arch.name} cannot be cut: its heads' widths add up to the hidden width`, {
      field: "prune.heads",
      hint: "cut --neurons or --layers",
    });
  }
  const { [names.heads]: all, [names.width]: width } = config as Record<string, number>;
  const count = names.shared === undefined ? all! : (config as Record<string, number>)[names.shared]!;
  const group = all! / count;
  const tables = [...shapes.keys()].filter((path) => names.table !== undefined && path.endsWith(names.table));
  return infos
    .filter(({ role }) => role === "o")
    .map((reader) => {
      const q = infos.find((info) => info.role === "q" && parentOf(info.path) === parentOf(reader.path))!;
      const roles: readonly LinearRole[] = ["k", "v"];
      const kv = infos.filter(
        ({ role, path }) => roles.includes(role) && parentOf(path) === parentOf(q.path),
      );
      const table = tables.find((path) => stackOf(path) === stackOf(reader.path));
      // Attention over an encoder's states has no positions.
      const own = table !== undefined && kv.every(({ reads }) => reads === q.reads);
      return {
        ...{ kind: "heads", name: reader.reads!, count, reader, each: group * width! },
        writers: [{ info: q, each: group * width! }, ...kv.map((info) => ({ info, each: width! }))],
        ...(own ? { table, shared: stackOf(reader.path) } : {}),
        fields: { [names.heads]: group, ...(names.shared === undefined ? {} : { [names.shared]: 1 }) },
      };
    });
};

/** The units of a kind, layer by layer. Throws ConfigError where the family has none that can be cut. */
export const unitsOf = (model: Model, kind: UnitKind): Units[] => {
  const infos = model.arch.linears(model.config);
  const shapes = flatten<TensorType>(model.arch.params(model.config) as Tree<TensorType>);
  return (kind === "neurons" ? neurons : heads)(model, infos, shapes);
};
