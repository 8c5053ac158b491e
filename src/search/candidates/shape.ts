/** Shapes of the start cut anyhow, packed as the start is: what is as large and as fast as a candidate. */
import { spread } from "../../compress/dropLayers.ts";
import { leastBlock } from "../../compress/packedSize.ts";
import { groupOf, unitsToKeep } from "../../compress/pruning/chooseUnits.ts";
import { keepUnits } from "../../compress/pruning/keepUnits.ts";
import { unitsOf } from "../../compress/pruning/units.ts";
import { quantized } from "../../compress/quantize.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Model } from "../../models/model.ts";
import { int8FormOf } from "../../nn/kinds/int8.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import type { Int8Form } from "../../ops/int8.ts";
import { entries } from "../../util/tree.ts";
import type { Values } from "../space/space.ts";
import type { Base } from "./candidate.ts";
import type { Form, FormDtype, FormFormat } from "./formats/format.ts";
import { dtypeIn } from "./space.ts";

/** The start, its forms, and what they cost. */
export interface Known {
  readonly start: Base;
  readonly format: FormFormat;
  /** Bytes of the forms' files. */
  readonly sizes: ReadonlyMap<FormDtype, number>;
  /** How fast a form is; undefined where there is none. */
  speeds(dtype: FormDtype): Promise<Figures | undefined>;
}

/** The index of a layer in a path. */
const LAYER = /^(.*?\.)(\d+)(?=\.)/;

/** The path of a weight in a model of the layers `kept`; undefined where its layer is gone. */
const pathAfter = (path: string, kept: readonly number[]): string | undefined => {
  const at = LAYER.exec(path)?.[2];
  if (at === undefined) return path;
  const index = kept.indexOf(Number(at));
  return index < 0 ? undefined : path.replace(LAYER, (_, stack: string) => stack + index);
};

/** A configuration's shape: the start without some of its layers and neurons, whichever they are. */
export const shapeOf = (model: Model, { layers, neurons = 1 }: Values) => {
  const { layers: all } = model.arch.cache(model.config);
  const kept = spread(all, Number(layers ?? all));
  const shallow =
    kept.length === all ? model : { ...model, ...model.arch.keepLayers(model.config, model.weights, kept) };
  if (neurons === 1) return { shape: shallow, kept };
  const first = new Map(
    unitsOf(shallow, "neurons").map((units) => {
      const { kind, name, count } = units;
      const keep = unitsToKeep(Number(neurons), { kind, count, group: groupOf(units) });
      return [name, Array.from({ length: keep }, (_, i) => i)] as const;
    }),
  );
  return { shape: keepUnits(shallow, "neurons", first), kept };
};

/** How the start's matrices are packed, by the paths that they have in a smaller model. */
export const packingOf = ({ weights }: Model, kept: readonly number[], shape: Model) => {
  const inputs = new Map(Array.from(entries<Weight>(shape.weights), ([path, { shape: s }]) => [path, s]));
  const wide: string[] = [];
  const forms = new Map<string, Int8Form>();
  for (const [path, w] of entries<Weight>(weights)) {
    const after = pathAfter(path, kept);
    if (after === undefined || !isPacked(w) || w.kind.name !== "int8") continue;
    wide.push(after);
    const { digits, strong, steps, zero = 0 } = int8FormOf(w);
    const sides = inputs.get(after) as readonly [number, number];
    const k = w.layout === "kn" ? sides[0] : sides[1];
    // Where inputs are gone others stand in: as many, wherever they are.
    const some = [...new Set(strong.map((i) => i % k))].sort((a, b) => a - b);
    const taken = steps && { steps: Array.from({ length: k }, (_, i) => steps[i % steps.length]!), zero };
    forms.set(after, { digits, strong: some, ...taken });
  }
  return { wide, forms };
};

/** A shape in a dtype, packed as the start is. */
export const formOf = (known: Known, values: Values): Form => {
  const { shape, kept } = shapeOf(known.start.dense, values);
  const dtype = dtypeIn(values);
  const packed = known.start.forms[dtype];
  if (packed !== undefined && known.format.like !== undefined) return known.format.like(shape, packed);
  if (dtype === "fp32" || packed === undefined) return shape;
  const { wide, forms } = packingOf(packed, kept, shape);
  if (dtype === "q8") return quantized(shape, { bits: 8 }, { forms });
  // Of what is fitted to a limit the least stands for it.
  const packing = values.rounding === "fitted" ? { wide: [], block: leastBlock(shape) } : { wide };
  return quantized(shape, { bits: 4, ...packing }, { forms });
};
