/**
 * What a configuration would cost, before it is made: a model is as large and as fast as its shape, whatever
 * its numbers are. Sizes are those of the start's files, by what its weights take; speeds come of a table.
 */
import { leastBlock, packedBytes } from "../../compress/packedSize.ts";
import { countParams } from "../../nn/param.ts";
import { SIZE } from "../figures.ts";
import type { Values } from "../space/space.ts";
import { formOf, type Known, packingOf, shapeOf } from "./shape.ts";
import { baseKey, dtypeIn } from "./space.ts";
import { type SpeedOptions, speedsOf } from "./speeds.ts";

/** Of what is fitted to a limit the least is foretold. */
const isFitted = ({ rounding }: Values): boolean => rounding === "fitted";

/** Bytes of a shape's weights in a dtype. */
const bytesOf = (known: Known, values: Values): number => {
  const { shape, kept } = shapeOf(known.start.dense, values);
  const dtype = dtypeIn(values);
  const packed = known.start.forms[dtype];
  if (dtype === "fp32" || packed === undefined) return 4 * countParams(shape.weights);
  const { wide, forms } = packingOf(packed, kept, shape);
  const packing = isFitted(values) ? { wide: [], block: leastBlock(shape) } : { wide };
  return packedBytes(shape, { bits: dtype === "q8" ? 8 : 4, ...packing, forms });
};

/** Of models with fewer numbers the graph itself counts: their files are written, in memory. */
const SMALL = 2e6;

/** Foretells sizes and speeds. */
export interface Foreteller {
  /** Bytes of the files, of what is fitted at least; undefined where the start was not made in the dtype. */
  size(values: Values): number | undefined;
  /** All that is foretold, by the figures' names. */
  figures(values: Values): Promise<Readonly<Record<string, number>>>;
}

/** Foretells what configurations cost. */
export const foreteller = (known: Known, options: SpeedOptions): Foreteller => {
  const bytes = new Map<string, number>();
  const speeds = speedsOf(known, options);
  const sizeOf = (values: Values): number | undefined => {
    const dtype = dtypeIn(values);
    const own = known.sizes.get(dtype);
    if (own === undefined) return undefined;
    const { format, start } = known;
    if (format.like !== undefined || countParams(start.dense.weights) < SMALL) {
      return format.bytes(formOf(known, values));
    }
    const { layers: all } = known.start.dense.arch.cache(known.start.dense.config);
    const whole = bytesOf(known, { layers: all, dtype });
    return (own * bytesOf(known, values)) / whole;
  };
  const size = (values: Values): number | undefined => {
    const { layers = 0, neurons = 1 } = values;
    const key = `${baseKey({ layers, neurons })} ${dtypeIn(values)} ${isFitted(values)}`;
    const found = bytes.get(key) ?? sizeOf(values);
    if (found !== undefined) bytes.set(key, found);
    return found;
  };
  return {
    size,
    async figures(values) {
      const own = size(values);
      return { ...(await speeds(values)), ...(own === undefined ? {} : { [SIZE]: own }) };
    },
  };
};
