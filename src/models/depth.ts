/**
 * How deep in a model each weight stands: for layers that are frozen, and rates that fall towards the
 * input.
 */
import { tensorsOf } from "../nn/param.ts";
import type { Model } from "./model.ts";

/** A layer's part of a path: "encoder.layer.3". */
const LAYER = /^(.*?\.)(\d+)\./;

/** Depths of weights by name, and the depth of what stands above all layers. */
export interface Depths {
  readonly top: number;
  of(name: string): number;
}

/**
 * 0 for what reads the input (embeddings, positions and what stands between them and the layers), layer + 1
 * in a layer of any stack, layers + 1 above them. Parts of weights, as path.part, are where their weights
 * are.
 */
export const depthsOf = ({ arch, config, weights }: Model): Depths => {
  const linears = arch.linears(config);
  const tables = linears.filter(({ role }) => role === "embedding" || role === "position");
  const inLayers = linears.filter(({ layer }) => layer !== undefined);
  const stacks = new Set(inLayers.map(({ path }) => LAYER.exec(path)?.[1]));
  const top = 1 + inLayers.reduce((most, { layer }) => Math.max(most, layer! + 1), 0);
  const depths = new Map<string, number>();
  let passed = false;
  for (const [name] of tensorsOf(weights)) {
    const [, stack, layer] = LAYER.exec(name) ?? [];
    if (stack !== undefined && stacks.has(stack)) {
      depths.set(name, Number(layer) + 1);
      passed = true;
    } else if (tables.some(({ path }) => name === path || name.startsWith(`${path}.`))) depths.set(name, 0);
    else depths.set(name, passed ? top : 0);
  }
  return { top, of: (name) => depths.get(name) ?? top };
};
