/**
 * Rotary positions as llama.cpp is told of them: a base, a kind of scaling with its numbers, or one divisor a
 * frequency (Llama 3), which travel as a tensor.
 */
import type { GgufValue } from "../../formats/gguf/gguf.ts";
import { type Llama3Scaling, llama3Factors } from "../../models/gguf/rope.ts";
import { ConfigError } from "../../util/errors.ts";

/** The fields of a parsed config, by the names of config.json. */
export type ConfigFields = { readonly [key: string]: unknown };

/** Metadata of rotary positions, and divisors of the frequencies where they are needed. */
export interface RopeKeys {
  readonly keys: Record<string, GgufValue>;
  /** `[D / 2]`: what each frequency is divided by. */
  readonly factors?: Float32Array;
}

/** A number of the config. Throws ConfigError naming the field where it is none. */
export const numberOf = (config: ConfigFields, field: string): number => {
  const value = config[field];
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new ConfigError(`must be a number, not ${JSON.stringify(value)}`, { field });
};

interface Scaling extends ConfigFields {
  readonly kind: string;
}

const fieldsOf = (config: ConfigFields, name: string): ConfigFields =>
  typeof config[name] === "object" && config[name] !== null ? (config[name] as ConfigFields) : {};

/** rope_scaling of older configs, rope_parameters of newer ones. */
const scalingOf = (config: ConfigFields): Scaling => {
  const fields = { ...fieldsOf(config, "rope_parameters"), ...fieldsOf(config, "rope_scaling") };
  return { ...fields, kind: String(fields.rope_type ?? fields.type ?? "default") };
};

const llama3Of = (s: Scaling): Llama3Scaling => ({
  factor: numberOf(s, "factor"),
  low_freq_factor: numberOf(s, "low_freq_factor"),
  high_freq_factor: numberOf(s, "high_freq_factor"),
  original_max_position_embeddings: numberOf(s, "original_max_position_embeddings"),
});

const float32 = (value: number): GgufValue => ({ type: "float32", value });

const scaled = (kind: string, s: Scaling): Record<string, GgufValue> => ({
  "rope.scaling.type": { type: "string", value: kind },
  "rope.scaling.factor": float32(numberOf(s, "factor")),
});

const yarn = (s: Scaling, config: ConfigFields): RopeKeys["keys"] => {
  for (const field of ["attention_factor", "mscale", "mscale_all_dim", "truncate"]) {
    if (s[field] != null && s[field] !== true)
      throw new ConfigError("of yarn is not written to GGUF", { field: `rope_scaling.${field}` });
  }
  const optional = { beta_fast: "rope.scaling.yarn_beta_fast", beta_slow: "rope.scaling.yarn_beta_slow" };
  const betas = Object.entries(optional).flatMap(([field, key]) =>
    s[field] == null ? [] : [[key, float32(numberOf(s, field))] as const],
  );
  const original = s.original_max_position_embeddings ?? numberOf(config, "max_position_embeddings");
  return {
    ...scaled("yarn", s),
    "rope.scaling.original_context_length": { type: "uint32", value: original as number },
    ...Object.fromEntries(betas),
  };
};

const kinds: Readonly<
  Record<string, (s: Scaling, c: ConfigFields, base: number, width: number) => RopeKeys>
> = {
  default: () => ({ keys: {} }),
  // Longer texts than max_position_embeddings, which it is for, are not told of in a file.
  dynamic: () => ({ keys: {} }),
  linear: (s) => ({ keys: scaled("linear", s) }),
  yarn: (s, c) => ({ keys: yarn(s, c) }),
  llama3: (s, _, base, width) => ({ keys: {}, factors: llama3Factors(llama3Of(s), base, width) }),
};

/** Keys and divisors of heads of `width`. Throws ConfigError for a scaling that llama.cpp does not have. */
export const ropeKeys = (config: ConfigFields, width: number): RopeKeys => {
  const scaling = scalingOf(config);
  const base = typeof scaling.rope_theta === "number" ? scaling.rope_theta : numberOf(config, "rope_theta");
  const make = Object.hasOwn(kinds, scaling.kind) ? kinds[scaling.kind] : undefined;
  if (make === undefined) {
    throw new ConfigError(`${scaling.kind} is not a scaling that GGUF can carry`, {
      field: "rope_scaling.rope_type",
      hint: `these can: ${Object.keys(kinds).join(", ")}`,
    });
  }
  const { keys, factors } = make(scaling, config, base, width);
  const all = { "rope.freq_base": float32(base), ...keys };
  return factors === undefined ? { keys: all } : { keys: all, factors };
};
