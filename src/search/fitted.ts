/**
 * Forms of 4 bits that are as large as a limit on size allows: which matrices keep 8 bits is chosen by the
 * bytes that are left, where the usual form of 4 bits chooses by what they cost.
 */
import { int8Forms } from "../compress/forms.ts";
import { packedBytes } from "../compress/packedSize.ts";
import type { Context } from "../compress/pass.ts";
import { quantize } from "../compress/quantize.ts";
import { groupCosts } from "../compress/sensitivity.ts";
import { wideWithin } from "../compress/within.ts";
import type { Model } from "../models/model.ts";
import { isPacked, type Weight } from "../nn/param.ts";
import type { ShipDtype } from "../ship/onnx/dtype.ts";
import { entries } from "../util/tree.ts";
import { boundsOf, type Choosable, type ChooseOptions } from "./budget.ts";
import { measuredValue, SIZE } from "./figures.ts";

/** A dense model, and its form of each dtype. */
interface Formed {
  readonly name: string;
  readonly dense: Model;
  readonly forms: Readonly<Record<ShipDtype, Model>>;
}

/** A dense model with the form of 4 bits that fits, and the one with the usual form. */
export interface FittedBase extends Formed {
  readonly of: Formed;
}

interface Sized extends Choosable {
  readonly base: string;
  readonly dtype: ShipDtype;
}

/** The matrices that keep 8 bits in a form. */
const wideIn = ({ weights }: Model): string[] =>
  Array.from(entries<Weight>(weights)).flatMap(([path, w]) =>
    isPacked(w) && w.kind.name === "int8" ? [path] : [],
  );

/**
 * The form of `base` that fits `limit` bytes of files; undefined where all of 8 bits do, nothing does, or the
 * usual form is that one. Files have more in them than weights, and some weights twice: how much is seen by
 * the two forms that were measured, of `sizes` bytes.
 */
const fitted = async (
  base: Formed,
  { limit, sizes }: { readonly limit: number; readonly sizes: Readonly<Record<"q4" | "q8", number>> },
  context: Context,
): Promise<FittedBase | undefined> => {
  const { dense, forms } = base;
  const { engine, calibration: texts } = context;
  if (texts === undefined || !(sizes.q8 > limit)) return undefined;
  const known = { forms: await int8Forms(engine, dense, texts) };
  const usual = wideIn(forms.q4);
  const bytes = {
    q4: packedBytes(dense, { bits: 4, wide: usual, ...known }),
    q8: packedBytes(dense, { bits: 8, ...known }),
  };
  const share = (sizes.q8 - sizes.q4) / (bytes.q8 - bytes.q4);
  if (!(share > 0)) return undefined;
  const maxBytes = bytes.q4 + (limit - sizes.q4) / share;
  const wide = wideWithin(dense, await groupCosts(engine, dense, texts), { maxBytes, ...known });
  const alike = wide.length === usual.length && usual.every((path) => wide.includes(path));
  if (alike || packedBytes(dense, { bits: 4, wide, ...known }) > maxBytes) return undefined;
  const q4 = await quantize({ bits: 4, wide }).run(dense, context);
  return { name: `${base.name} fitted`, dense, forms: { ...forms, q4 }, of: base };
};

/** Bases whose form of 4 bits fits the budget's limit on size, where that makes another form. */
export const fittedBases = async (
  bases: readonly Formed[],
  measured: readonly Sized[],
  { budget, figures }: ChooseOptions,
  context: Context,
): Promise<FittedBase[]> => {
  const bounds = boundsOf(budget, figures, measured[0]!);
  const sizeBounds = bounds.filter(({ figure, most }) => most && figure.name === SIZE);
  if (sizeBounds.length === 0) return [];
  const limit = Math.min(...sizeBounds.map(({ bound }) => bound));
  const found: FittedBase[] = [];
  for (const base of bases) {
    context.signal?.throwIfAborted();
    const size = (dtype: ShipDtype): number => {
      const own = measured.find((c) => c.base === base.name && c.dtype === dtype)!;
      return measuredValue(own, SIZE);
    };
    const form = await fitted(base, { limit, sizes: { q4: size("q4"), q8: size("q8") } }, context);
    if (form !== undefined) found.push(form);
  }
  return found;
};
