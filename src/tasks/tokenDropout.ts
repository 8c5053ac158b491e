/**
 * Token dropout: a share of a text's tokens is hidden each time that it is learnt from, so that no few words
 * decide alone (word dropout of Iyyer et al. 2015, https://aclanthology.org/P15-1162, with the mask token, as
 * an encoder has met it in pre-training, where they leave the words out).
 */
import type { Feeds } from "../engine/engine.ts";
import { ConfigError } from "../util/errors.ts";
import { rng } from "../util/rng.ts";
import type { LessonOptions } from "./task.ts";

/** Blocks of random numbers that a batch has for itself. */
const BLOCKS = 2 ** 24;

/**
 * What hides tokens of batches; undefined where none are to be hidden. Special tokens and padding stay. A
 * pure function of the seed, the batch and its number. Throws ConfigError where there is no mask token.
 */
export const tokenDropout = ({
  tokenizer: { specials },
  seed,
  records,
}: Pick<LessonOptions, "tokenizer" | "seed" | "records">):
  | ((feeds: Feeds, index: number) => Feeds)
  | undefined => {
  const rate = records?.tokenDropout ?? 0;
  if (rate === 0) return undefined;
  const { mask } = specials;
  if (mask === undefined) {
    throw new ConfigError("hides tokens behind the mask token, and the tokenizer has none", {
      field: "task.tokenDropout",
      hint: "leave --token-dropout out, or take an encoder that was trained to fill in masks",
    });
  }
  const special = new Set(Object.values(specials));
  return (feeds, index) => {
    const ids = feeds.inputIds!;
    const random = rng(seed, "token-dropout", index * BLOCKS);
    const data = Int32Array.from(ids.data as Int32Array, (id) => {
      const hidden = random.uniform() < rate;
      return hidden && !special.has(id) ? mask : id;
    });
    return { ...feeds, inputIds: { ...ids, data } };
  };
};
