/**
 * Weights that stand still in few bits while adapters train: those of 4 bits are rounded by what layers read
 * of the text that is learnt from, and some keep 8, since adapters learn to make up for rounding and stand on
 * the exact weights in the end. (SmolLM2 tuned to reviews by adapters of rank 8, held-out nats: 4.154 over
 * float32; 4.236 where each matrix is rounded by itself, 4.229 with tables in 8 bits, 4.184 by what layers
 * read of 384 tokens of other text, 4.178 by 8,000 of the reviews, 4.174 with values in 8 bits as well.)
 */
import { CALIBRATION_TOKENS, quantized } from "../../compress/quantize.ts";
import type { Codes } from "../../compress/rounding/codes.ts";
import type { Engine } from "../../engine/engine.ts";
import { type LinearRole, packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import type { Weight } from "../../nn/param.ts";
import type { Material } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { flatten, mapTree } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { lookedAt } from "../data/windows.ts";
import { measuring, roundedBy } from "../model/measured.ts";

/** Codes of matrices by path. */
export type StandingCodes = ReadonlyMap<string, Codes>;

/** Tokens of the text that is learnt from that are read. */
const TOKENS = 7680;

/** What is tuned, and on what. */
export interface StandingSubject {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly material: Material;
}

/**
 * Kinds that keep 8 bits, since 4 would cost most for their size: tables, and the projections of values,
 * which are narrow where heads share them. (SmolLM2 before it is tuned loses 0.043 nats on the reviews with
 * tables in 8 bits, 0.022 with values, too, and 0.028 at best with another kind in their place.)
 */
const WIDE: ReadonlySet<LinearRole> = new Set(["embedding", "head", "v"]);

/** Matrices that keep 8 bits. */
const wideIn = ({ arch, config }: Model): string[] =>
  Array.from(packable(arch.linears(config)).values()).flatMap(({ path, role }) =>
    WIDE.has(role) ? [path] : [],
  );

/** Codes of what stands still in 4 bits; undefined where nothing does. Throws as `roundedBy`. */
export const standingCodes = async (
  engine: Engine,
  { model, tokenizer, material }: StandingSubject,
  { seed, adapter: { rank, baseBits } }: RunOptions,
  hooks: Pick<RecipeHooks, "ui" | "signal">,
): Promise<StandingCodes | undefined> => {
  if (rank === 0 || baseBits !== 4) return undefined;
  const texts = lookedAt({ tokenizer, material }, seed, TOKENS);
  const how = { method: "search", wide: wideIn(model), texts, tokens: CALIBRATION_TOKENS } as const;
  return (await roundedBy(measuring(engine, model, hooks), how)).codes;
};

/** `model` in fewer bits, but for weights that are trained whole; without codes each matrix by itself. */
export const inBits = (
  model: Model,
  bits: number,
  { isWhole, codes }: { isWhole(path: string): boolean; readonly codes: StandingCodes | undefined },
): Model => {
  if (bits === 32) return model;
  const four = { bits: 4, wide: wideIn(model) } as const;
  const packed = quantized(model, bits === 4 ? four : { bits: 8 }, codes === undefined ? {} : { codes });
  const known = flatten<Weight>(model.weights);
  const weights = mapTree<Weight, Weight>(packed.weights, (w, path) =>
    isWhole(path) ? known.get(path)! : w,
  );
  return { ...packed, weights };
};
