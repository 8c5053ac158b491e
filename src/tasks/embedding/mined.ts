/** Pairs with the hard negatives that the model finds before it learns. */

import type { Example } from "../records.ts";
import { recordDefaults } from "../records.ts";
import type { Task } from "../task.ts";
import { embedTexts } from "./embedTexts.ts";
import { keysOf, kindIn, textPart, textsOf } from "./groupRecords.ts";
import { type HardNegativeOptions, hardNegatives } from "./hardNegatives.ts";

/** Texts by their keys, each once, and where each key is. */
const distinctTexts = (examples: readonly Example[], from: number, to: number) => {
  const at = new Map<number, number>();
  const texts: ArrayLike<number>[] = [];
  for (const example of examples) {
    const own = textsOf(example);
    for (const [g, key] of keysOf(example).entries()) {
      if (g < from || g >= to || at.has(key)) continue;
      at.set(key, texts.length);
      texts.push(own[g]!);
    }
  }
  return { at, texts };
};

/**
 * The examples to train on with as many hard negatives as are asked for, found by `model` among the positives
 * and negatives of all of them; those that a record has come first. Nothing changes where none are asked for,
 * and of records that say nothing of what is wrong.
 */
export const withHardNegatives: NonNullable<Task["prepare"]> = async (engine, model, material, options) => {
  const { tokenizer, records = recordDefaults } = options;
  const count = records.hardNegatives;
  if (count === 0 || material.kind !== "examples" || material.train.length === 0) return material;
  const { train } = material;
  if (!["pairs", "triplets"].includes(kindIn(train))) return material;
  const config = model.config as { readonly pad_token_id?: number };
  const pad = config.pad_token_id ?? tokenizer.specials.pad ?? tokenizer.eos;
  const queries = distinctTexts(train, 0, 1);
  const corpus = distinctTexts(train, 1, Number.POSITIVE_INFINITY);
  const right = queries.texts.map((): number[] => []);
  for (const example of train) {
    const [anchor, positive] = keysOf(example);
    const own = right[queries.at.get(anchor!)!]!;
    const place = corpus.at.get(positive!)!;
    if (!own.includes(place)) own.push(place);
    // A text is no negative of itself.
    const itself = corpus.at.get(anchor!);
    if (itself !== undefined && !own.includes(itself)) own.push(itself);
  }
  const anchors = await embedTexts(engine, model, queries.texts, { pad });
  const texts = await embedTexts(engine, model, corpus.texts, { pad });
  const found = await hardNegatives(engine, { anchors, texts, positives: right }, miningOf(records));
  const keys = [...corpus.at.keys()];
  const mined = train.map((example): Example => {
    const own = keysOf(example);
    const nearest = found[queries.at.get(own[0]!)!]!.filter((i) => !own.includes(keys[i]!));
    const more = nearest.slice(0, Math.max(0, count - (own.length - 2)));
    return {
      ...example,
      length: more.reduce((most, i) => Math.max(most, corpus.texts[i]!.length), example.length),
      parts: {
        ...example.parts,
        ...Object.fromEntries(more.map((i, k) => [textPart(own.length + k), corpus.texts[i]!])),
        keys: [...own, ...more.map((i) => keys[i]!)],
      },
    };
  });
  return { ...material, train: mined };
};

const miningOf = ({
  hardNegatives: count,
  negativeMargin: relativeMargin,
  negativeRangeMin: rangeMin,
}: typeof recordDefaults): HardNegativeOptions => ({
  count,
  relativeMargin,
  rangeMin,
  rangeMax: rangeMin + 100,
});
