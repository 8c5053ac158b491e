/** Rotary positions as llama.cpp has them: a base, and a scaling or one divisor a frequency (Llama 3). */
import { type Metadata, needed } from "../../util/metadata.ts";

/** The scaling of Llama 3, as config.json has it. */
export interface Llama3Scaling {
  readonly factor: number;
  readonly low_freq_factor: number;
  readonly high_freq_factor: number;
  readonly original_max_position_embeddings: number;
}

/** The tensor that holds the divisors. */
export const ROPE_FREQS = "rope_freqs.weight";

/**
 * `[D / 2]`: Llama 3.1's divisors (https://arxiv.org/abs/2407.21783): 1 for short waves, the factor for those
 * longer than the first context, a blend between.
 */
export const llama3Factors = (s: Llama3Scaling, base: number, width: number): Float32Array => {
  const { factor, low_freq_factor: low, high_freq_factor: high } = s;
  const context = s.original_max_position_embeddings;
  return Float32Array.from({ length: width / 2 }, (_, i) => {
    const wave = 2 * Math.PI * base ** ((2 * i) / width);
    if (wave < context / high) return 1;
    if (wave > context / low) return factor;
    const smooth = (context / wave - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
};

const near = (a: Float32Array, b: Float32Array, most: number): boolean =>
  a.length === b.length && a.every((x, i) => Math.abs(x - b[i]!) <= most * Math.abs(x));

/** Rounding of the divisors to float32, and of what was computed from them. */
const [EXACT, FITTED] = [1e-6, 1e-4];

/**
 * The line that the blend lies on: it is `slope / wave - offset`, of which any first context with its two
 * factors gives the same; the lower factor is 1 here.
 */
const fitted = (factors: Float32Array, factor: number, base: number): Llama3Scaling | undefined => {
  const width = 2 * factors.length;
  const points = Array.from(factors, (f, i) => ({
    pace: 1 / (2 * Math.PI * base ** ((2 * i) / width)),
    smooth: (1 / f - 1 / factor) / (1 - 1 / factor),
  })).filter(({ smooth }) => smooth > 1e-3 && smooth < 1 - 1e-3);
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || first === last) return undefined;
  const slope = (first.smooth - last.smooth) / (first.pace - last.pace);
  const offset = slope * first.pace - first.smooth;
  return {
    factor,
    low_freq_factor: 1,
    high_freq_factor: 1 + 1 / offset,
    original_max_position_embeddings: Math.round(slope / offset),
  };
};

/**
 * Llama 3's scaling by its divisors; undefined where they are none of it. The usual factors, 1 and 4, are
 * looked for first, with a first context that is a power of two.
 */
export const llama3Scaling = (factors: Float32Array, base: number): Llama3Scaling | undefined => {
  const factor = factors.at(-1) ?? 1;
  const width = 2 * factors.length;
  for (let context = 1 << 20; context >= 1; context /= 2) {
    const usual = {
      factor,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: context,
    };
    if (near(llama3Factors(usual, base, width), factors, EXACT)) return usual;
  }
  const other = fitted(factors, factor, base);
  return other !== undefined && near(llama3Factors(other, base, width), factors, FITTED) ? other : undefined;
};

type Fields = Readonly<Record<string, unknown>>;

/** The scaling of the metadata; llama.cpp takes a factor without a kind as linear. */
const told = (m: Metadata, prefix: string): Fields | null => {
  const kindKey = `${prefix}.scaling.type`;
  const kind = m.text(kindKey) ?? "linear";
  const factor = m.number(`${prefix}.scaling.factor`) ?? m.number(`${prefix}.scale_linear`) ?? 0;
  if (kind === "none" || factor === 0 || (kind === "linear" && factor === 1)) return null;
  if (kind === "linear") return { rope_type: "linear", factor };
  if (kind !== "yarn") return m.fail(kindKey, `is "${kind}"; none, linear and yarn are read`);
  for (const name of ["attn_factor", "yarn_attn_factor", "yarn_ext_factor", "yarn_log_multiplier"]) {
    const key = `${prefix}.scaling.${name}`;
    if (m.has(key) && m.number(key) !== 1) m.fail(key, "of yarn is not read");
  }
  const contextKey = `${prefix}.scaling.original_context_length`;
  return {
    rope_type: "yarn",
    factor,
    original_max_position_embeddings: needed(m, contextKey, m.count(contextKey)),
    beta_fast: m.number(`${prefix}.scaling.yarn_beta_fast`) ?? 32,
    beta_slow: m.number(`${prefix}.scaling.yarn_beta_slow`) ?? 1,
  };
};

/**
 * `rope_theta` and `rope_scaling` of config.json; `prefix` is the architecture's "NAME.rope", `factors` what
 * the file holds as ROPE_FREQS. Throws FormatError for what is not known.
 */
export const ropeOf = (m: Metadata, prefix: string, factors: Float32Array | undefined): Fields => {
  const rope_theta = m.number(`${prefix}.freq_base`) ?? 10000;
  const scaling = told(m, prefix);
  if (factors === undefined || factors.every((f) => f === 1)) return { rope_theta, rope_scaling: scaling };
  if (scaling !== null) m.fail(`${prefix}.scaling.type`, `cannot stand beside ${ROPE_FREQS}`);
  const llama3 = llama3Scaling(factors, rope_theta);
  if (llama3 === undefined) {
    return m.fail(`${prefix}.freq_base`, `and the divisors of ${ROPE_FREQS} are not Llama 3's scaling`);
  }
  return { rope_theta, rope_scaling: { rope_type: "llama3", ...llama3 } };
};
