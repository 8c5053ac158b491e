/**
 * Texts that are made of labelled ones, for a linear model to say what they are: parts of texts, texts
 * without some of their words, and runs of words of several texts one behind the other. A network that
 * learns what the linear model says of many such texts comes to say the same of new ones, which it does not
 * from the labelled texts alone (Bucila et al. 2006, https://doi.org/10.1145/1150402.1150464: "munging").
 */
import type { Rng } from "../../../util/rng.ts";

/** Shares of the ways to make a text; the rest are runs of several. */
const [PART, THINNED] = [0.2, 0.2];
/** Share of the words that a thinned text keeps. */
const KEPT = 0.75;
/** Words of a run. */
const [SHORTEST, LONGEST] = [2, 10];

const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** Makes `count` texts of words of `texts`, each as long as they may be. Equal seeds make equal texts. */
export const madeTexts = (texts: readonly string[], count: number, random: Rng): string[] => {
  const all = texts.map(wordsOf).filter(({ length }) => length > 0);
  const whole = (n: number): number => Math.floor(random.uniform() * n);
  const some = (): readonly string[] => all[whole(all.length)]!;
  const part = (words: readonly string[]): readonly string[] => {
    const at = whole(words.length);
    return words.slice(at, at + 1 + whole(words.length - at));
  };
  const runs = (): readonly string[] => {
    const { length } = some();
    const made: string[] = [];
    while (made.length < length) {
      const [words, run] = [some(), SHORTEST + whole(LONGEST - SHORTEST + 1)];
      const at = whole(Math.max(1, words.length - run + 1));
      made.push(...words.slice(at, at + run));
    }
    return made;
  };
  const thinned = (words: readonly string[]): readonly string[] => {
    const kept = words.filter(() => random.uniform() < KEPT);
    return kept.length > 0 ? kept : words.slice(0, 1);
  };
  return Array.from({ length: all.length === 0 ? 0 : count }, () => {
    const way = random.uniform();
    const words = way < PART ? part(some()) : way < PART + THINNED ? thinned(some()) : runs();
    return words.join(" ");
  });
};
