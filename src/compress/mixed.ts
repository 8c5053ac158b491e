/**
 * Mixed bits: which form each kind of matrix takes under a size, by what each form of it costs the model's
 * outputs. Costs of matrices add up nearly, so what is gained by a byte decides: of the forms that fit, the
 * one that takes most off the cost for each byte more is taken, again and again.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { byColumn, matrixOf } from "./matrix.ts";
import { cosine, type Ids, probeOf } from "./probe.ts";
import { type GridOptions, roundedTensor } from "./rounding/codes.ts";
import { scaleSearch } from "./rounding/scaleSearch.ts";
import { groupsOf } from "./sensitivity.ts";

/** Matrices that take one form together, with what each form takes and costs. */
export interface FormCosts {
  readonly paths: readonly string[];
  /** Of each form, in their order. */
  readonly bytes: readonly number[];
  /** What a form takes from the cosine of the model's outputs. */
  readonly costs: readonly number[];
}

/** Bytes of a matrix's codes, scales in float32 and zeros; 8 bits have one scale an output and no zeros. */
export const formBytes = (n: number, k: number, { bits, block = k }: GridOptions): number => {
  if (bits === 8) return n * (k + 4);
  const blocks = Math.ceil(k / block);
  return n * (Math.ceil((blocks * block * bits) / 8) + 4 * blocks + Math.ceil((blocks * bits) / 8));
};

/** What each of `forms` costs each kind of matrix, on texts given as token ids. */
export const formCosts = async (
  engine: Engine,
  model: Model,
  texts: Ids,
  forms: readonly GridOptions[],
): Promise<FormCosts[]> => {
  const { program, feeds } = probeOf(model, texts);
  const known = packable(model.arch.linears(model.config));
  const session = await compile(engine, program);
  const run = async (changed: Readonly<Record<string, (typeof feeds)[string]>>): Promise<Float32Array> =>
    (await session.run({ ...feeds, ...changed })).out!.data as Float32Array;
  try {
    const whole = await run({});
    const found: FormCosts[] = [];
    for (const { paths } of groupsOf(model)) {
      const matrices = paths.map((path) => matrixOf(path, feeds[`w.${path}`]!, known.get(path)!.layout));
      const costs: number[] = [];
      for (const form of forms) {
        const changed = matrices.map((matrix, i) => {
          const codes = scaleSearch({ n: matrix.n, k: matrix.k, values: byColumn(matrix) }, form);
          return [`w.${paths[i]}`, roundedTensor(matrix, codes)] as const;
        });
        costs.push(1 - cosine(whole, await run(Object.fromEntries(changed))));
      }
      const bytes = forms.map((form) => matrices.reduce((sum, { n, k }) => sum + formBytes(n, k, form), 0));
      found.push({ paths, bytes, costs });
    }
    return found;
  } finally {
    await session.dispose();
  }
};

/**
 * The form of each group, by its index, for which costs add up to little while all take `maxBytes` at most;
 * where nothing fits, the smallest of each.
 */
export const allocated = (groups: readonly FormCosts[], maxBytes: number): number[] => {
  const chosen = groups.map(({ bytes }) => bytes.indexOf(Math.min(...bytes)));
  let left = maxBytes - groups.reduce((sum, { bytes }, g) => sum + bytes[chosen[g]!]!, 0);
  for (;;) {
    let [best, at, form] = [0, -1, -1];
    for (const [g, { bytes, costs }] of groups.entries()) {
      const [own, cost] = [bytes[chosen[g]!]!, costs[chosen[g]!]!];
      for (const [f, size] of bytes.entries()) {
        const gain = (cost - costs[f]!) / Math.max(size - own, 1);
        if (size - own <= left && gain > best) [best, at, form] = [gain, g, f];
      }
    }
    if (at < 0) return chosen;
    left -= groups[at]!.bytes[form]! - groups[at]!.bytes[chosen[at]!]!;
    chosen[at] = form;
  }
};

/** What forms are chosen by. */
export interface MixedOptions {
  /** As token ids. */
  readonly texts: Ids;
  readonly forms: readonly GridOptions[];
  readonly maxBytes: number;
}

/** Grids of a dense model's matrices by path, each of one of `forms`, which take `maxBytes` at most. */
export const mixedGrids = async (
  engine: Engine,
  model: Model,
  { texts, forms, maxBytes }: MixedOptions,
): Promise<ReadonlyMap<string, GridOptions>> => {
  const groups = await formCosts(engine, model, texts, forms);
  const chosen = allocated(groups, maxBytes);
  return new Map(groups.flatMap(({ paths }, g) => paths.map((path) => [path, forms[chosen[g]!]!] as const)));
};
