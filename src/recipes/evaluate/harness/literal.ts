/** Lists as Python prints them, which templates of task files make: ['yes', "it's", 3]. */
import { ConfigError } from "../../../util/errors.ts";

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

const ITEM =
  /\s*(?:(['"])((?:\\[\s\S]|(?!\1)[^\\])*)\1|(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)|(True|False|None))\s*(,|\]|$)/y;

const unescaped = (text: string): string =>
  text.replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([\s\S]))/gi, (_, x, u, long, one) => {
    const code = x ?? u ?? long;
    return code === undefined
      ? (escapes[one] ?? `\\${one}`)
      : String.fromCodePoint(Number.parseInt(code, 16));
  });

/** The items of a printed list, as texts. Throws ConfigError where it is none. */
export const literalList = (text: string, field: string): string[] => {
  const inner = text.trim();
  const fail = (): never => {
    throw new ConfigError(`makes ${JSON.stringify(text.slice(0, 80))}, which is no list`, { field });
  };
  if (!inner.startsWith("[") || !inner.endsWith("]")) return fail();
  const items: string[] = [];
  ITEM.lastIndex = 1;
  while (inner.slice(ITEM.lastIndex).trim() !== "]") {
    const at = ITEM.lastIndex;
    const found = ITEM.exec(inner);
    if (found === null || found[5] === "" || ITEM.lastIndex === at) return fail();
    items.push(found[2] === undefined ? (found[3] ?? found[4]!) : unescaped(found[2]));
    if (found[5] === "]") return ITEM.lastIndex === inner.length ? items : fail();
  }
  return items;
};
