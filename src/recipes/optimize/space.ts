/** What optimize searches: the usual spaces, or the parameters that the user names with their values. */
import type { Model } from "../../models/model.ts";
import type { FormFormat } from "../../search/candidates/formats/format.ts";
import {
  type Cuttable,
  cuttableOf,
  fullSpace,
  isCut,
  isTaught,
  smallSpace,
} from "../../search/candidates/space.ts";
import { type Budget, SIZE } from "../../search/figures.ts";
import type { SamplerName } from "../../search/samplers/index.ts";
import { sizeOf } from "../../search/space/configurations.ts";
import type { Param, Scalar, Space, Values } from "../../search/space/space.ts";
import { writtenParam } from "../../search/space/written.ts";
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";
import { identityOf } from "../sweep/log.ts";
import { dataHashes, weightsHash } from "../train/identity.ts";

/** What may be named, and what values it takes. */
interface Named {
  readonly whole?: true;
  readonly choices?: readonly string[];
  readonly low: number;
  readonly high: number;
  readonly of: string;
}

const named = ({ layers }: Cuttable, { dtypes, rounds }: FormFormat): Readonly<Record<string, Named>> => ({
  layers: { whole: true, low: 1, high: layers, of: `whole numbers from 1 to the model's ${layers}` },
  layersBy: { choices: ["spread", "influence"], low: 0, high: 0, of: "spread, influence" },
  neurons: { low: 0.01, high: 1, of: "shares above 0, up to 1" },
  steps: { whole: true, low: 0, high: 1e7, of: "whole numbers; 0 teaches nothing" },
  lr: { low: 1e-9, high: 10, of: "learning rates above 0" },
  alpha: { low: 0, high: 1, of: "shares from 0 to 1" },
  temperature: { low: 0.01, high: 100, of: "numbers above 0" },
  dtype: { choices: dtypes, low: 0, high: 0, of: dtypes.join(", ") },
  ...(rounds
    ? { rounding: { choices: ["search", "gptq", "fitted"], low: 0, high: 0, of: "search, gptq, fitted" } }
    : {}),
});

const refuse = (name: string, text: string, { of }: Named): ConfigError =>
  new ConfigError(`${text} is not what it takes`, { field: `search.params.${name}`, hint: `give ${of}` });

const single = (name: string, text: string, like: Named): Scalar => {
  if (like.choices !== undefined) {
    if (like.choices.includes(text)) return text;
    throw refuse(name, text, like);
  }
  const value = Number(text);
  const fits = text !== "" && value >= like.low && value <= like.high;
  if (!fits || (like.whole && !Number.isInteger(value))) throw refuse(name, text, like);
  return value;
};

/** A parameter as it is written. */
const paramOf = (name: string, text: string, like: Named): Param =>
  writtenParam(text, {
    value: (word) => single(name, word, like),
    whole: () => like.whole ?? false,
    noRange: (range) => refuse(name, range, like),
  });

/** A parameter with the value that leaves the model as it is. */
const withStart = (param: Param, start: Scalar): Param => {
  if (param.kind !== "categorical") return { ...param, high: Math.max(param.high, Number(start)) };
  if (param.choices.includes(start)) return param;
  const all = [...param.choices, start];
  return { ...param, choices: param.ordered ? all.sort((a, b) => Number(a) - Number(b)) : all };
};

/** When a parameter means something. */
const conditions = (layers: number): Readonly<Record<string, (values: Values) => boolean>> => ({
  layersBy: (v) => v.layers !== undefined && v.layers !== layers && Number(v.layers) > 1,
  steps: (v) => isCut(v, layers),
  lr: isTaught,
  alpha: isTaught,
  temperature: isTaught,
  rounding: ({ dtype }) => dtype === "q4",
});

const ORDER = ["layers", "layersBy", "neurons", "steps", "lr", "alpha", "temperature", "dtype", "rounding"];

/** The usual space with what the user named in it. */
const withNamed = (
  usual: Space,
  params: readonly string[],
  { cuttable, format }: { readonly cuttable: Cuttable; readonly format: FormFormat },
): Space => {
  const known = named(cuttable, format);
  const { layers } = cuttable;
  const when = conditions(layers);
  const starts: Readonly<Record<string, Scalar>> = { layers, neurons: 1, dtype: "fp32", rounding: "search" };
  const own = params.map((text) => {
    const [name = "", values = ""] = text.split(/=(.*)/s).map((part) => part.trim());
    const like = known[name];
    if (like === undefined) {
      const near = nearest(name, Object.keys(known));
      const there = ORDER.filter((each) => each in known).join(", ");
      const hint = `${near === undefined ? "" : `did you mean ${near}? `}there are: ${there}`;
      throw new ConfigError(`"${name}" is not searched`, { field: "search.params", hint });
    }
    if (name === "neurons" && !cuttable.neurons) {
      throw new ConfigError("the family has no neurons that can be cut", {
        field: "search.params.neurons",
        hint: "search layers",
      });
    }
    const param = paramOf(name, values, like);
    const start = starts[name];
    const full = start === undefined ? param : withStart(param, start);
    return [name, when[name] === undefined ? full : { ...full, when: when[name] }] as const;
  });
  const all: Space = { ...usual, ...Object.fromEntries(own) };
  return Object.fromEntries(ORDER.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
};

/** Whether more than the usual few candidates is searched. */
export const isWide = ({ search: { trials, timeSec, params, sampler } }: RunOptions): boolean =>
  trials > 0 || timeSec > 0 || params.length > 0 || sampler !== "";

/**
 * The space of candidates: small unless trials, a time or parameters are told. Throws ConfigError for a
 * parameter that there is not, and for values that it does not take.
 */
export const spaceOf = (
  options: RunOptions,
  model: Pick<Model, "arch" | "config">,
  { budget, format }: { readonly budget: Budget; readonly format: FormFormat },
): Space => {
  const { distill, search } = options;
  const cuttable = cuttableOf(model);
  const fits = budget.some(({ figure, most }) => figure === SIZE && most !== undefined);
  const keep = distill.layers > 0 ? { keep: distill.layers } : {};
  const given = { ...cuttable, steps: distill.steps, fits, format, ...keep };
  if (!isWide(options)) return smallSpace(given);
  return withNamed(fullSpace(given), search.params, { cuttable, format });
};

/** Up to so many configurations are all tried, in their order; up to so many a Gaussian process chooses. */
const [ALL, FEW] = [24, 400];

/** Which configuration is tried next, unless the options say: few are all tried. */
export const samplerOf = ({ search: { sampler } }: RunOptions, space: Space): SamplerName => {
  if (sampler !== "") return sampler;
  const size = sizeOf(space, FEW + 1);
  return size <= ALL ? "grid" : size <= FEW ? "bayes" : "tpe";
};

/** What makes one search another: how long it may take does not. */
export const searchIdentity = (options: RunOptions, data: UserData, model: Model, space: Space): unknown => {
  const { distill, train: t, budget, seed, model: shape } = options;
  return identityOf(space, {
    ...{ seed, context: shape.n_positions, batch: t.batch, weightDecay: t.weightDecay, distill, budget },
    ...{ sampler: samplerOf(options, space), model: weightsHash(model), data: dataHashes(data.material) },
  });
};
