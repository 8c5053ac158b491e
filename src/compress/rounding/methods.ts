/** The methods that round weights, by name. */
import type { Codes, GridOptions, Rows } from "./codes.ts";
import { gptq } from "./gptq.ts";
import { hqq } from "./hqq.ts";
import type { Moments, SecondMoments } from "./moments.ts";
import { nearest } from "./nearest.ts";
import { scaleSearch } from "./scaleSearch.ts";
import { together } from "./together.ts";

/** A method that rounds a matrix. */
export interface RoundingMethod {
  /** What it reads of what products read; those that `may` read it do without, others need text. */
  readonly reads: "nothing" | "may" | "moments" | "second moments";
  /** Whether a layer is rounded by what it reads of rounded ones, and towards the dense model. */
  readonly inTurn: boolean;
  /** Whether strong inputs are made weaker first, where a fold takes the scales. */
  readonly folds: boolean;
  /** Whether what it rounds to is where block reconstruction begins. */
  readonly reconstructs?: boolean;
  /** Throws Error for moments that are not finite. */
  round(rows: Rows, options: GridOptions, moments?: Moments | SecondMoments): Codes & { damping?: number };
}

const hasGram = (moments?: Moments | SecondMoments): moments is SecondMoments =>
  moments !== undefined && "gram" in moments;

const searched: RoundingMethod = {
  reads: "may",
  inTurn: false,
  folds: false,
  round: (rows, options, moments) => together(rows, scaleSearch(rows, options, moments?.squares), moments),
};

/** All methods; `search` is the default. */
export const roundingMethods = {
  nearest: { reads: "nothing", inTurn: false, folds: false, round: nearest },
  search: searched,
  hqq: { reads: "nothing", inTurn: false, folds: false, round: hqq },
  awq: { ...searched, reads: "second moments", inTurn: true, folds: true },
  reconstruct: { ...searched, reads: "second moments", inTurn: true, reconstructs: true },
  gptq: {
    reads: "second moments",
    inTurn: true,
    folds: false,
    // A table that is looked up, not multiplied by, has no moments.
    round: (rows, options, moments) =>
      hasGram(moments) ? gptq(rows, moments, options) : searched.round(rows, options, moments),
  },
} as const satisfies Readonly<Record<string, RoundingMethod>>;

/** Whether a method rounds nothing without text. */
export const needsText = ({ reads }: RoundingMethod): boolean =>
  reads === "moments" || reads === "second moments";

/** The name of a method. */
export type RoundingName = keyof typeof roundingMethods;
