/** What a sweep searches: the usual hyperparameters, or those that the user names with their values. */
import {
  categorical,
  float,
  integer,
  type Param,
  type Scalar,
  type Space,
} from "../../search/space/space.ts";
import { writtenParam } from "../../search/space/written.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import { parseSet } from "../config/resolve.ts";
import { fieldType } from "../config/schema.ts";
import type { Goal } from "./options.ts";

/** Rates around a model's own: an eighth of it to eight times. */
const ratesAround = (rate: number): Param => float(rate / 8, rate * 8, { log: true });

/** Usual rates of fine-tuning, and of adapters, which take ten times as much. */
const tuningRates = (adapters: boolean): Param =>
  adapters ? float(1e-4, 1e-2, { log: true }) : float(1e-5, 3e-3, { log: true });

const halfToDouble = (x: number): Param =>
  categorical([...new Set([Math.max(1, x >> 1), x, 2 * x])], { ordered: true });

/** Widths whose heads stay as wide as they are. */
const widths = ({ n_embd, n_head }: RunOptions["model"]): Param => {
  const head = n_embd / n_head;
  const heads = [...new Set([Math.max(1, n_head >> 1), n_head, Math.round(1.5 * n_head)])];
  return categorical(
    heads.map((n) => n * head),
    { ordered: true },
  );
};

/**
 * The usual space: of training rate, batch, optimizer, schedule, weight decay and dropout, and the model's
 * width and depth where its size is a goal beside its quality; of fine-tuning rate, batch, epochs, warm-up,
 * weight decay and the rates of lower layers.
 */
export const defaultSpace = (
  { train, model, adapter }: RunOptions,
  { tunes, goals }: { readonly tunes: boolean; readonly goals: readonly Goal[] },
): Space => {
  const rate = train.lrPeak > 0 ? ratesAround(train.lrPeak) : tuningRates(adapter.rank > 0);
  const both = { "train.lrPeak": rate, "train.batch": halfToDouble(train.batch) };
  if (tunes) {
    return {
      ...both,
      ...(train.steps > 0 ? {} : { "train.epochs": categorical([2, 3, 4], { ordered: true }) }),
      "train.warmupShare": categorical([0, 0.06, 0.1, 0.2], { ordered: true }),
      "train.weightDecay": categorical([0, 0.01, 0.1], { ordered: true }),
      ...(adapter.rank > 0 ? {} : { "train.layerDecay": categorical([0.8, 0.9, 1], { ordered: true }) }),
    };
  }
  const fresh = model.from === "";
  return {
    ...both,
    "train.optimizer": categorical(["adamw", "muon"]),
    "train.schedule": categorical(["cosine", "linear", "wsd"]),
    "train.weightDecay": categorical([0, 0.01, 0.1, 0.3], { ordered: true }),
    "model.dropout": categorical([0, 0.1, 0.2], { ordered: true }),
    ...(fresh && goals.includes("size")
      ? {
          "model.n_layer": integer(Math.max(1, model.n_layer >> 1), Math.ceil(1.5 * model.n_layer)),
          "model.n_embd": widths(model),
        }
      : {}),
  };
};

/**
 * What chooses among texts, and leaves held-out files of their own and a model's own tokenizer as they are.
 */
const selecting: readonly string[] = [
  "likeShare",
  "temperature",
  "maxEpochs",
  "near",
  "lines",
  "substrings",
].map((name) => `data.${name}`);

/**
 * Throws ConfigError for a search among choices of texts whose trials would be measured on different texts,
 * or by different tokens.
 */
export const requireSameMeasure = (
  space: Space,
  { data, model }: RunOptions,
  ref: string | undefined,
): void => {
  const field = Object.keys(space).find((name) => selecting.includes(name));
  if (field === undefined) return;
  if (data.validation.length === 0) {
    throw new ConfigError("changes the texts that are held out, too", {
      field,
      hint: "name files that all trials are measured on with --validation",
    });
  }
  if (model.from !== "" || ref !== undefined) return;
  throw new ConfigError("changes the tokenizer that is learnt from the texts, too", {
    field,
    hint: "begin with a model that has one: --from",
  });
};

/** What a sweep cannot compare trials over: losses are of tokens, files of the sweep's own. */
const unfit: Readonly<Record<string, string>> = {
  tokenizer: "losses are of tokens, and those of another tokenizer are others",
  data: `of data ${selecting.map((name) => name.slice("data.".length)).join(", ")} are searched`,
  budget: "nothing is compressed here",
  distill: "nothing is distilled here",
  search: "a sweep searches what --search names",
};

const singleValue = (field: string, text: string): Scalar => {
  const [section, name] = field.split(".") as [string, string];
  const parsed = parseSet(`${field}=${text}`) as Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  const value = parsed[section]?.[name];
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  throw new ConfigError("is no single value", {
    field,
    hint: "search fields that hold a number, a name or true and false",
  });
};

/** Whether a field takes whole numbers alone. */
const isWhole = (field: string): boolean => {
  try {
    parseSet(`${field}=1.5`);
    return false;
  } catch {
    return true;
  }
};

/**
 * A parameter as a user writes it: "1e-4..1e-2" is a range, "adamw,muon" choices. Throws ConfigError for a
 * field that there is not, or that a sweep cannot search, and for values that the field does not take.
 */
export const paramOf = (field: string, text: string): Param => {
  const why = selecting.includes(field) ? undefined : unfit[field.split(".")[0]!];
  if (why !== undefined || !field.includes(".")) {
    throw new ConfigError("is not searched", {
      field,
      hint: why ?? `search fields of training and of the model, such as train.lrPeak=1e-4..1e-2`,
    });
  }
  return writtenParam(text, {
    value: (word) => singleValue(field, word),
    whole: () => fieldType(field).kind === "number" && isWhole(field),
    noRange: (range) =>
      new ConfigError(`${range} is no range of numbers`, { field, hint: "list the choices with commas" }),
  });
};
