/**
 * Forms of 4 bits that are as large as a limit on size allows: which matrices keep 8 bits is chosen by the
 * bytes that are left, where the usual form of 4 bits chooses by what they cost. Where not even 4 bits in all
 * of them fit, their blocks are longer, and have fewer scales.
 */
import { INT4_BLOCK, INT4_BLOCKS } from "../../compress/int4.ts";
import { packedBytes } from "../../compress/packedSize.ts";
import type { Context } from "../../compress/pass.ts";
import { costsIn, formsIn, quantize } from "../../compress/quantize.ts";
import { wideWithin } from "../../compress/within.ts";
import type { Bound } from "../budget.ts";
import { SIZE } from "../figures.ts";
import type { Base } from "./candidate.ts";
import { eightBitIn } from "./forms.ts";

/** The least of the bounds on size; undefined where there is none. */
export const sizeBound = (bounds: readonly Bound[]): Bound | undefined =>
  bounds.filter(({ figure, most }) => most && figure.name === SIZE).toSorted((a, b) => a.bound - b.bound)[0];

/** The limit, and what the files of two forms take, bytes. */
export interface Fitting {
  readonly limit: number;
  readonly sizes: Readonly<Record<"q4" | "q8", number>>;
}

/**
 * `base` with the form of 4 bits that fits the limit; undefined where all of 8 bits do, nothing does, or the
 * usual form is that one. Files have more in them than weights, and some weights twice: how much is seen by
 * the two forms that were measured.
 */
export const fittedTo = async (
  base: Base,
  { limit, sizes }: Fitting,
  context: Context,
): Promise<Base | undefined> => {
  const { dense, forms } = base;
  const { calibration: texts } = context;
  if (texts === undefined || forms.q4 === undefined || !(sizes.q8 > limit)) return undefined;
  const known = { forms: await formsIn(dense, texts, context) };
  const usual = [...eightBitIn(forms.q4).keys()];
  const bytes = {
    q4: packedBytes(dense, { bits: 4, wide: usual, ...known }),
    q8: packedBytes(dense, { bits: 8, ...known }),
  };
  const share = (sizes.q8 - sizes.q4) / (bytes.q8 - bytes.q4);
  if (!(share > 0)) return undefined;
  const maxBytes = bytes.q4 + (limit - sizes.q4) / share;
  const block = INT4_BLOCKS.find(
    (size) => packedBytes(dense, { bits: 4, block: size, ...known }) <= maxBytes,
  );
  if (block === undefined) return undefined;
  const wide = wideWithin(dense, await costsIn(dense, texts, context), { maxBytes, block, ...known });
  const alike = wide.length === usual.length && usual.every((path) => wide.includes(path));
  if (alike && block === INT4_BLOCK) return undefined;
  const q4 = await quantize({ bits: 4, wide, block }).run(dense, context);
  return { name: `${base.name} fitted`, dense, forms: { ...forms, q4 } };
};
