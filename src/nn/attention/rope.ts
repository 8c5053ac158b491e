/**
 * Angles of rotary positions and their scalings for longer texts, after transformers'
 * modeling_rope_utils.py. Each step is rounded to float32 as there: at far positions the rounding shows.
 */
import { type Tensor, tensor } from "../../ir/tensor.ts";

const { fround } = Math;

/** How frequencies are changed for texts longer than those first trained on. */
export type RopeScaling =
  | { readonly rope_type: "linear"; readonly factor: number }
  /** Changes nothing up to max_position_embeddings, which no text here is longer than. */
  | { readonly rope_type: "dynamic"; readonly factor: number }
  | {
      readonly rope_type: "llama3";
      readonly factor: number;
      readonly low_freq_factor: number;
      readonly high_freq_factor: number;
      readonly original_max_position_embeddings: number;
    }
  | {
      readonly rope_type: "yarn";
      readonly factor: number;
      readonly original_max_position_embeddings: number;
      readonly attention_factor?: number;
      readonly beta_fast?: number;
      readonly beta_slow?: number;
      readonly mscale?: number;
      readonly mscale_all_dim?: number;
      readonly truncate?: boolean;
    };

/** The base of rotary angles and their scaling, as a config has them. */
export interface Rope {
  readonly rope_theta: number;
  readonly rope_scaling: RopeScaling | null;
}

interface Frequencies {
  /** [D / 2], radians a position. */
  readonly each: Float32Array;
  /** Factor on cosines and sines. */
  readonly amplitude: number;
}

type Kind = RopeScaling["rope_type"];
type Scaled<K extends Kind> = Extract<RopeScaling, { rope_type: K }>;
type Scale<K extends Kind> = (plain: Float32Array, scaling: Scaled<K>, theta: number) => Frequencies;

/** Short waves stay, waves longer than the first context are stretched, a blend between. */
const llama3: Scale<"llama3"> = (plain, s) => {
  const context = s.original_max_position_embeddings;
  const each = plain.map((f) => {
    const wave = fround(fround(2 * Math.PI) / f);
    if (wave < context / s.high_freq_factor) return f;
    const slow = fround(f / s.factor);
    if (wave > context / s.low_freq_factor) return slow;
    const along = fround(context / wave) - s.low_freq_factor;
    const smooth = fround(along / (s.high_freq_factor - s.low_freq_factor));
    return (1 - smooth) * slow + smooth * f;
  });
  return { each, amplitude: 1 };
};

const growth = (scale: number, factor: number): number =>
  scale <= 1 ? 1 : 0.1 * factor * Math.log(scale) + 1;

const yarnAmplitude = (s: Scaled<"yarn">): number => {
  if (s.attention_factor !== undefined) return s.attention_factor;
  if (s.mscale && s.mscale_all_dim) return growth(s.factor, s.mscale) / growth(s.factor, s.mscale_all_dim);
  return growth(s.factor, 1);
};

/** Points that turn often stay, points that turn rarely are stretched (Peng et al., arXiv 2309.00071). */
const yarn: Scale<"yarn"> = (plain, s, theta) => {
  const width = 2 * plain.length;
  const place = (turns: number): number =>
    (width * Math.log(s.original_max_position_embeddings / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const round = s.truncate ?? true;
  const [first, last] = [place(s.beta_fast || 32), place(s.beta_slow || 1)];
  const low = Math.max(round ? Math.floor(first) : first, 0);
  const high = Math.min(round ? Math.ceil(last) : last, width - 1);
  const span = low === high ? 0.001 : high - low;
  const each = plain.map((f, i) => {
    const stretched = Math.min(1, Math.max(0, fround((i - low) / span)));
    return fround(f / s.factor) * stretched + f * (1 - stretched);
  });
  return { each, amplitude: yarnAmplitude(s) };
};

const kinds: { readonly [K in Kind]: Scale<K> } = {
  linear: (plain, s) => ({ each: plain.map((f) => f / s.factor), amplitude: 1 }),
  dynamic: (plain) => ({ each: plain, amplitude: 1 }),
  llama3,
  yarn,
};

const frequencies = (width: number, { rope_theta, rope_scaling: s }: Rope): Frequencies => {
  const plain = Float32Array.from(
    { length: width / 2 },
    (_, i) => 1 / fround(rope_theta ** ((2 * i) / width)),
  );
  if (s === null) return { each: plain, amplitude: 1 };
  return (kinds[s.rope_type] as Scale<Kind>)(plain, s as never, rope_theta);
};

/** cos and sin float32 [positions, width / 2] of heads of an even `width`. */
export const ropeTables = (positions: number, width: number, rope: Rope): { cos: Tensor; sin: Tensor } => {
  const { each, amplitude } = frequencies(width, rope);
  const half = each.length;
  const [cos, sin] = [new Float32Array(positions * half), new Float32Array(positions * half)];
  for (let p = 0; p < positions; p++) {
    for (let i = 0; i < half; i++) {
      const angle = fround(p * each[i]!);
      cos[p * half + i] = fround(Math.cos(angle)) * amplitude;
      sin[p * half + i] = fround(Math.sin(angle)) * amplitude;
    }
  }
  const shape = [positions, half];
  return { cos: tensor("float32", shape, cos), sin: tensor("float32", shape, sin) };
};
