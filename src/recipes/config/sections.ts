/** Sections of a config file that few things read, and what all sections are made of. */
import { z } from "zod";
import type { Limit } from "../../search/figures.ts";
import { type SamplerName, samplers } from "../../search/samplers/index.ts";
import type { AdapterOptions, BudgetOptions, DistillationOptions } from "./options.ts";
import type { SearchOptions } from "./search.ts";

/** A schema for each field of `T`. */
export type Shape<T> = Record<keyof T, z.ZodType>;
/** A whole number, or nothing. */
export const int = z.int().optional();
/** A text, or nothing. */
export const text = z.string().optional();
/** Texts, or nothing. */
export const texts = z.array(z.string()).optional();
/** A number, or nothing. */
export const number = z.number().optional();
/** One of some names, or nothing. */
export const choice = <const T extends readonly [string, ...string[]]>(...names: T) =>
  z.enum(names).optional();
/** A section of fields, or nothing. */
export const section = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).optional();

const flag = z.boolean().optional();
/** Fields of adapters. */
export const adapter = {
  ...{ rank: int, alpha: number, dropout: number, baseBits: int, rankStabilized: flag, dora: flag },
  ...{ targets: texts, save: texts, tokens: texts, bias: choice("none", "all", "lora_only") },
} satisfies Shape<AdapterOptions>;
/** Fields of distillation. */
export const distill = {
  ...{ steps: int, lrPeak: number, alpha: number, temperature: number, layers: int },
} satisfies Shape<DistillationOptions>;
const limit = {
  figure: z.string(),
  most: number,
  least: number,
  relative: z.boolean().optional(),
} satisfies Shape<Limit>;
/** Fields of a budget. */
export const budget = {
  ...{ maxMb: number, maxMs: number, maxLoss: number, minQuality: number },
  targets: texts,
  limits: z.array(z.union([z.string(), z.strictObject(limit)])).optional(),
} satisfies Shape<BudgetOptions>;

/** Fields of a search. */
export const search = {
  ...{ trials: int, timeSec: number, params: texts },
  sampler: choice("", ...(Object.keys(samplers) as SamplerName[])),
} satisfies Shape<SearchOptions>;
