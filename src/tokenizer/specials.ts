/** Which tokens have a role: as tokenizer_config.json says, else by the names that are usual. */
import { type Fields, refuse, show } from "./json.ts";
import type { Json, SpecialIds } from "./tokenizer.ts";

type Role = keyof SpecialIds;

const usual: Readonly<Record<Role, readonly string[]>> = {
  bos: ["<s>", "<|endoftext|>", "<|begin_of_text|>", "<bos>"],
  eos: ["</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"],
  pad: ["[PAD]", "<pad>"],
  unk: ["[UNK]", "<unk>"],
  cls: ["[CLS]"],
  sep: ["[SEP]"],
  mask: ["[MASK]", "<mask>"],
};

const ROLES = Object.keys(usual) as Role[];

/** The text of a token in tokenizer_config.json: itself, or an object with `content`. */
export const contentOf = (value: Json | undefined): string | undefined => {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { content } = value as Fields;
  return typeof content === "string" ? content : undefined;
};

/**
 * The ids of `config`'s special tokens, and of usual names among `specials` where `config` names none at all.
 * Throws FormatError where a named end-of-text token does not exist.
 */
export const specialIds = (
  config: Fields,
  specials: readonly string[],
  idOf: (token: string) => number | undefined,
): SpecialIds => {
  const named = ROLES.some((role) => contentOf(config[`${role}_token`]) !== undefined);
  const entries = ROLES.flatMap((role): [Role, number][] => {
    const own = contentOf(config[`${role}_token`]);
    const token = named ? own : usual[role].find((name) => specials.includes(name));
    const id = token === undefined ? undefined : idOf(token);
    if (role === "eos" && own !== undefined && id === undefined)
      refuse(`does not have the end-of-text token ${show(own)}`);
    return id === undefined ? [] : [[role, id]];
  });
  return Object.fromEntries(entries);
};

/** The id that ends a text: see `Tokenizer.eos`. Throws FormatError where no token can. */
export const endOf = (ids: SpecialIds, first: number | undefined): number =>
  ids.eos ??
  ids.sep ??
  ids.pad ??
  first ??
  refuse("and tokenizer_config.json name no token that ends a text");
