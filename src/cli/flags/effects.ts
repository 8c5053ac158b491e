/** Options that others leave without effect: told, or refused where the result would not be what is meant. */
import { adapterDefaults } from "../../recipes/config/adapter.ts";
import type { RunConfig, RunOptions } from "../../recipes/config/options.ts";
import { ConfigError } from "../../util/errors.ts";
import { inWords, sharedFlags, type VerbName } from "./flags.ts";
import { baseOf } from "./options.ts";

interface Effect {
  readonly fields: readonly string[];
  /** The verb that this is true of; all unless told. */
  readonly verb?: VerbName;
  readonly lost: (o: RunOptions) => boolean;
  /** "has no effect ...". */
  readonly why: string;
  /** What gives it one; of these alone a flag is refused. */
  readonly hint?: string;
}

const shape = ["family", "n_layer", "n_head", "n_embd", "activation_function"];
const adapterFields = Object.keys(adapterDefaults).filter((name) => name !== "rank");
const tokenizer = ["tokenizer.kind", "tokenizer.vocab"];

const effects: readonly Effect[] = [
  {
    fields: ["data.documentMask"],
    lost: ({ data }) => data.packing !== "bestFit",
    why: "where documents are packed one after another",
    hint: "add --packing bestFit (data.packing), which keeps documents whole",
  },
  {
    fields: ["data.keep", "data.bands", "data.rows", "data.shingle"],
    lost: ({ data }) => data.near === "off",
    why: "where near-duplicates are not looked for",
    hint: "leave it out, or --near off",
  },
  {
    fields: ["data.likeShare"],
    lost: ({ data }) => data.like.length === 0,
    why: "where there is nothing that the text is to be like",
    hint: "name files with --like, or leave it out",
  },
  {
    fields: ["data.gzip"],
    verb: "data",
    lost: ({ data }) => data.format !== "jsonl",
    why: "on what is not written as JSON lines",
    hint: "add --format jsonl, or leave it out",
  },
  {
    fields: ["data.maxEpochs"],
    lost: ({ data }) => data.mix.length === 0 && data.temperature === 0,
    why: "where sources are not mixed",
    hint: "add --mix or --mix-temperature, or leave it out",
  },
  {
    fields: ["data.temperature"],
    lost: ({ data }) => data.mix.length > 0,
    why: "where the shares of the sources are given",
    hint: "leave it out, or --mix",
  },
  {
    fields: ["data.validationShare"],
    lost: ({ data }) => data.validation.length > 0,
    why: "where held-out files are named",
    hint: "leave it out, or --validation",
  },
  {
    fields: ["train.lrMin"],
    lost: ({ train }) => train.schedule === "constant" && train.lrMin !== train.lrPeak,
    why: "where the learning rate is constant",
    hint: "choose another --schedule, or leave it out",
  },
  {
    fields: [...shape.map((name) => `model.${name}`), ...tokenizer, "train.baseWidth"],
    lost: (o) => o.model.from !== "",
    why: "on a model that is there: its shape and tokenizer hold",
    hint: "leave it out, or --from",
  },
  {
    fields: ["model.adapters"],
    verb: "train",
    lost: (o) => o.model.from === "",
    why: "on a fresh model",
    hint: "name the model that they stand on with --from, or leave it out",
  },
  {
    fields: adapterFields.map((name) => `adapter.${name}`),
    lost: (o) => o.adapter.rank === 0,
    why: "where no adapters are trained",
    hint: "add --lora RANK, or leave it out",
  },
  {
    fields: ["train.wholeWords"],
    lost: (o) => o.model.from === "" && ["gpt2", "llama", "qwen2", "qwen3"].includes(o.model.family),
    why: "where no words are masked",
    hint: "choose an encoder, such as --family bert, or leave it out",
  },
  {
    fields: ["tokenizer.vocab"],
    lost: (o) => o.tokenizer.kind === "char",
    why: "on a tokenizer of characters, which has as many tokens as the text has characters",
  },
  {
    fields: ["model.activation_function"],
    lost: (o) => o.model.family !== "gpt2",
    why: "on a family that has an activation of its own",
    hint: "leave it out, or --family gpt2",
  },
  {
    fields: ["data.packing", "data.documentMask", "model.from", "model.n_positions", ...tokenizer],
    verb: "data",
    lost: ({ data }) => data.format !== "tokens",
    why: "where documents are written, not tokens",
  },
  {
    fields: tokenizer,
    verb: "data",
    lost: (o) => o.model.from !== "",
    why: "where a model's own tokenizer is used (--from)",
  },
];

const at = (config: unknown, field: string): unknown =>
  field.split(".").reduce<unknown>((v, key) => (v as Record<string, unknown> | undefined)?.[key], config);

/** "--keep (data.keep)". */
const named = (field: string): string => {
  const flag = sharedFlags.find((each) => each.field === field);
  return flag === undefined ? field : `${flag.name} (${field})`;
};

const means = (field: string, verb: VerbName): boolean =>
  sharedFlags.find((flag) => flag.field === field)?.verbs.includes(verb) ?? true;

/** Throws ConfigError for a `key.path=value` that means nothing to the verb; config files serve all verbs. */
export const requireMeaning = (sets: readonly string[], verb: VerbName): void => {
  const field = sets.map((set) => set.split("=")[0]!.trim()).find((path) => !means(path, verb));
  if (field === undefined) return;
  const { verbs } = sharedFlags.find((flag) => flag.field === field)!;
  throw new ConfigError(`means nothing to ${verb}`, {
    field,
    hint: `leave it out: it is for ${inWords(verbs)}`,
  });
};

/**
 * What of the given options has no effect beside the others, a line each. Throws ConfigError for a flag
 * without which the result would not be what was asked for.
 */
export const withoutEffect = (options: RunOptions, flags: RunConfig, verb: VerbName): string[] => {
  const told = new Map<string, string>();
  for (const { fields, verb: only, lost, why, hint } of effects) {
    if ((only !== undefined && only !== verb) || !lost(options)) continue;
    for (const field of fields.filter((each) => means(each, verb))) {
      const flagged = at(flags, field) !== undefined && at(flags, field) !== false;
      if (flagged && hint !== undefined) throw new ConfigError(`has no effect ${why}`, { field, hint });
      const given = flagged || String(at(options, field)) !== String(at(baseOf(verb), field));
      if (given && !told.has(field)) told.set(field, `${named(field)} has no effect ${why}`);
    }
  }
  return Array.from(told.values());
};
