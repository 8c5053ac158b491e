/** What is asked of a quantization, and what it gives. */
import { type QuantizeOptions, quantize } from "../../compress/quantize.ts";
import type { RoundingName } from "../../compress/rounding/methods.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";

/** Kinds of matrices that may keep 8 bits. */
export const wideKinds = ["head", "embedding", "q", "k", "v", "qkv", "o", "up", "gate", "down"] as const;

/** A kind of matrix. */
export type WideKind = (typeof wideKinds)[number];

/** How a folder's model is quantized. */
export interface QuantizeFolderOptions {
  /** The folder to write. */
  readonly out: string;
  /** Of a weight; 4 unless told. */
  readonly bits?: 4 | 8;
  /** Of 4 bits; scale search unless told. */
  readonly method?: RoundingName;
  /** Of 4 bits: inputs that share a scale; 32 unless told. */
  readonly block?: number;
  /** Of 4 bits: the most bytes that the weights may take. As few matrices as that needs have 4 bits then. */
  readonly maxBytes?: number;
  /** The same for each weight, all of them together: bits. */
  readonly bitsPerWeight?: number;
  /** Of 4 bits: kinds of matrices that keep 8, whatever they take. Without a size no others do. */
  readonly keep8?: readonly WideKind[];
  /** Tokens of calibration at most. */
  readonly tokens?: number;
  /** Whether the dense weights are written too; they are unless told. */
  readonly weights?: boolean;
  /** Folders of adapters that are merged into the weights, each on those before it. */
  readonly adapters?: readonly string[];
}

/** Bits, method and block of a form. */
export type FormChoice = { readonly bits: 4 | 8 } & Pick<QuantizeOptions, "method" | "block">;

/** Throws ConfigError for sizes that 8 bits do not have, and for kinds that there are not. */
const checkSize = ({
  bits,
  maxBytes,
  bitsPerWeight,
  keep8 = [],
}: Pick<QuantizeFolderOptions, "bits" | "maxBytes" | "bitsPerWeight" | "keep8">): void => {
  const given = Object.entries({ maxBytes, bitsPerWeight, keep8: keep8.length > 0 ? keep8 : undefined });
  const [first, second] = given.flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (first !== undefined && bits !== 4) {
    throw new ConfigError("goes with 4 bits only: 8 bits have one size", { field: `quantize.${first}` });
  }
  if (first === "maxBytes" && second === "bitsPerWeight") {
    throw new ConfigError("and maxBytes are two sizes: choose one", { field: "quantize.bitsPerWeight" });
  }
  for (const kind of keep8) {
    if (wideKinds.includes(kind)) continue;
    const near = nearest(kind, wideKinds);
    throw new ConfigError(`names "${kind}", a kind of matrix that is not known`, {
      field: "quantize.keep8",
      hint: `${near === undefined ? "" : `did you mean "${near}"? `}known: ${wideKinds.join(", ")}`,
    });
  }
};

/** Throws ConfigError for options that make no sense together. */
export const formChoice = (options: Omit<QuantizeFolderOptions, "out">): FormChoice => {
  const { bits = 4, method, block, maxBytes, bitsPerWeight, keep8 = [] } = options;
  if (bits !== 4 && bits !== 8) {
    const hint = "2 bits are learnt: npx anneal distill MODEL --bits 2";
    throw new ConfigError(`must be 8 or 4, not ${bits}`, { field: "quantize.bits", hint });
  }
  quantize({ bits, ...defined({ method, block }) });
  checkSize({ bits, keep8, ...defined({ maxBytes, bitsPerWeight }) });
  return { bits, ...defined({ method, block }) };
};

/** Size and score of a form. */
export interface FormFigures {
  /** Of all weights, each once. */
  readonly sizeBytes: number;
  /** Mean of the held-out examples, in `unit`; absent where the text tells nothing of the task. */
  readonly score?: number;
}

/** What was done to a model's matrices, and what it cost. */
export interface QuantizeReport {
  readonly bits: 4 | 8;
  readonly method: RoundingName;
  readonly block?: number;
  /** Of 4 bits: matrices that keep 8. */
  readonly wide: readonly string[];
  /** How many matrices there are. */
  readonly matrices: number;
  readonly before: FormFigures;
  readonly after: FormFigures;
  /** "nats per token" */
  readonly unit?: string;
  /** Held-out examples that were scored. */
  readonly scored?: number;
  readonly calibrationTokens: number;
  readonly notes: readonly string[];
  /** The most bytes that were asked for, and whether the weights take no more. */
  readonly maxBytes?: number;
  readonly met: boolean;
}
