/** A model whose matrices are replaced one after the other, beside itself as it was, on the same text. */
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { jointProgram, WHOLE } from "../joint.ts";
import { denseMatrices } from "../probe.ts";
import { productsOf } from "../pruning/streams.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { type Site, sitesOf } from "../sites.ts";
import type { Target } from "./sums.ts";
import type { Known } from "./towardsDense.ts";
import type { Stop, Walkable } from "./walk.ts";

/**
 * The model beside itself on token ids [B, T] int32 of one shape: the first one's matrices are inputs, the
 * second stays dense. What a site's product reads in the second one is its target.
 */
export const besideDense = (model: Model, batches: readonly Tensor[]) => {
  const matrices = denseMatrices(model);
  const given = new Map(Object.entries(matrices));
  const program = jointProgram(model, model, { ids: batches[0]!, given });
  const products = productsOf(program);
  const target = ({ paths: [path] }: Site): Target | undefined => {
    const value = products.get(WHOLE + path!)?.inputs[0];
    return value === undefined ? undefined : { value };
  };
  return { way: { matrices, program, sites: sitesOf(program), batches } satisfies Walkable, target };
};

const added = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + b[i]!);

/**
 * What is known of a site's inputs by all batches, and by those that a correction is learnt from and others.
 */
export const knownAt = ({
  moments: learnt,
  cross,
  heldOut,
}: Stop): Omit<Partial<Known>, "factor" | "moments"> & Pick<Known, "moments"> => {
  const moments = learnt as SecondMoments;
  const other = heldOut?.moments as SecondMoments | undefined;
  if (other === undefined) return { moments, ...(cross === undefined ? {} : { cross }) };
  const all = {
    ...{ k: moments.k, count: moments.count + other.count },
    squares: added(moments.squares, other.squares),
    absolutes: added(moments.absolutes, other.absolutes),
    gram: added(moments.gram, other.gram),
  };
  const apart = heldOut?.cross;
  if (cross === undefined || apart === undefined) return { moments: all };
  return {
    moments: all,
    cross: { products: added(cross.products, apart.products) },
    parts: { learnt: { moments, cross }, heldOut: { moments: other, cross: apart } },
  };
};
