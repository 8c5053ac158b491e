/**
 * Rotary positions in a config.json: `rope_theta` and `rope_scaling`, or the `rope_parameters` of
 * transformers 5 that holds both. A parsed config has the older form, which every version reads.
 */
import type { Rope, RopeScaling } from "../../nn/attention/rope.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Fields, intField, numberField } from "../config.ts";

const MOST = 1e9;

/** Reads the numbers of the scaling `fields`, which is called `name` in the config. */
interface Scaling {
  readonly name: string;
  readonly fields: Fields;
  /** The config's own fields. */
  readonly config: Fields;
  readonly positions: number;
}

/** The scaling's field under its whole path, as errors name it. */
const pathed = ({ name, fields }: Scaling, field: string): [path: string, Fields] => {
  const path = `${name}.${field}`;
  return [path, { [path]: fields[field] }];
};

const needed = (s: Scaling, field: string, min: number): number => {
  const [path, fields] = pathed(s, field);
  if (fields[path] == null) throw new ConfigError("is missing", { field: path });
  return numberField(fields, path, min, min, MOST);
};

const optional = (s: Scaling, names: readonly string[]): Fields =>
  Object.fromEntries(names.flatMap((n) => (s.fields[n] == null ? [] : [[n, needed(s, n, 0)]])));

/** The first context: beside the scaling, else in it, else the whole one. */
const contextOf = (s: Scaling): number => {
  const field = "original_max_position_embeddings";
  if (s.config[field] != null) return intField(s.config, field, s.positions);
  const [path, fields] = pathed(s, field);
  return intField(fields, path, s.positions);
};

const llama3 = (s: Scaling): RopeScaling => {
  const low_freq_factor = needed(s, "low_freq_factor", 0);
  const high_freq_factor = needed(s, "high_freq_factor", 0);
  if (low_freq_factor >= high_freq_factor) {
    throw new ConfigError(`must be more than low_freq_factor, ${low_freq_factor}`, {
      field: `${s.name}.high_freq_factor`,
    });
  }
  return {
    rope_type: "llama3",
    factor: needed(s, "factor", 1),
    low_freq_factor,
    high_freq_factor,
    original_max_position_embeddings: contextOf(s),
  };
};

const yarn = (s: Scaling): RopeScaling => {
  const original_max_position_embeddings = contextOf(s);
  const names = ["attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim"];
  return {
    rope_type: "yarn",
    factor: s.fields.factor == null ? s.positions / original_max_position_embeddings : needed(s, "factor", 1),
    original_max_position_embeddings,
    ...optional(s, names),
    ...(s.fields.truncate === false ? { truncate: false } : {}),
  };
};

const readers: Readonly<Record<string, (s: Scaling) => RopeScaling | null>> = {
  default: () => null,
  linear: (s) => ({ rope_type: "linear", factor: needed(s, "factor", 1) }),
  dynamic: (s) => ({ rope_type: "dynamic", factor: needed(s, "factor", 1) }),
  llama3,
  yarn,
};

/** Throws ConfigError where only a part of each head would be turned. */
const checkWhole = (fields: Fields, path: string): void => {
  const share = fields.partial_rotary_factor;
  if (share == null || share === 1) return;
  throw new ConfigError(`is ${JSON.stringify(share)}; only rotation of whole heads (1) is supported`, {
    field: `${path}partial_rotary_factor`,
  });
};

/** Throws ConfigError where kinds of layers have rotary positions of their own. */
const checkFlat = (fields: Fields, path: string): void => {
  const nested = Object.keys(fields).find((key) => {
    const value = fields[key];
    return typeof value === "object" && value !== null && !Array.isArray(value);
  });
  if (nested === undefined) return;
  throw new ConfigError("rotary positions that differ from layer to layer are not supported", {
    field: `${path}.${nested}`,
  });
};

const objectOf = (f: Fields, name: string): Fields | undefined => {
  const given = f[name];
  if (given == null) return undefined;
  if (typeof given === "object" && !Array.isArray(given)) return given as Fields;
  throw new ConfigError(`must be an object, not ${JSON.stringify(given)}`, { field: name });
};

/** The rotary positions that a config asks for. Throws ConfigError naming what is wrong or not supported. */
export const ropeFields = (f: Fields, positions: number): Rope => {
  const name = f.rope_scaling == null ? "rope_parameters" : "rope_scaling";
  const s = objectOf(f, name) ?? {};
  checkWhole(f, "");
  checkWhole(s, `${name}.`);
  checkFlat(s, name);
  const kind = s.rope_type ?? s.type ?? "default";
  if (typeof kind !== "string" || !Object.hasOwn(readers, kind)) {
    const known = Object.keys(readers).join(", ");
    throw new ConfigError(`is ${JSON.stringify(kind)}, which is not supported; these are: ${known}`, {
      field: `${name}.rope_type`,
    });
  }
  const theta = s.rope_theta == null ? f : s;
  const rope_theta = numberField(theta, "rope_theta", 10000, 1e-3, 1e15);
  return { rope_theta, rope_scaling: readers[kind]!({ name, fields: s, config: f, positions }) };
};
