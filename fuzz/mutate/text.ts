/** Changes of a text by the words of its language. */
import { type Mutate, orBytes, pick } from "./bytes.ts";

/** Mutates by lines and by `words`: what the format gives a meaning to. */
export const mutateText = (words: readonly string[]): Mutate =>
  orBytes((bytes, random, others) => {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    const place = (length: number): number => random.int(length + 1);
    const change = random.int(6);
    const at = place(text.length);
    let out: string;
    if (change < 2) out = text.slice(0, at) + pick(random, words) + text.slice(at);
    else if (change === 2) out = text.slice(0, at) + text.slice(Math.min(text.length, at + random.int(40)));
    else if (change === 3) {
      const word = pick(random, words);
      const to = pick(random, words);
      out = random.int(2) === 0 ? text.replaceAll(word, to) : text.replace(word, to);
    } else if (change === 4) {
      const other = new TextDecoder().decode(pick(random, others));
      const from = place(other.length);
      out = text.slice(0, at) + other.slice(from, from + random.int(80)) + text.slice(at);
    } else {
      const word = pick(random, words).repeat(pick(random, [2, 10, 300, 5000]));
      out = text.slice(0, at) + word + text.slice(at);
    }
    return new TextEncoder().encode(out.slice(0, 1 << 18));
  }, 5);
