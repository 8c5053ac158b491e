/**
 * JSON with its numbers as they were spelled. JavaScript has one kind of number, so that 1.0 is written as 1;
 * Python's readers tell the two apart, and some refuse a whole number where a real one is meant.
 */

/** How numbers are spelled, by `pathOf` of where they stand. */
export type Spellings = ReadonlyMap<string, string>;

type Key = string | number;

/** A key with its colon, a text, a number, or what opens, closes and parts. */
const TOKEN = /("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|(-?\d[-+.\deE]*)|([{}[\],])/g;

/** The place of a value: its keys and indices, from the outermost. */
export const pathOf = (keys: readonly Key[]): string => JSON.stringify(keys.map(String));

/** The spelling of every number in a text that is JSON. */
export const spellingsIn = (text: string): Spellings => {
  const found = new Map<string, string>();
  const path: Key[] = [];
  for (const [, quoted, colon, number, mark] of text.matchAll(TOKEN)) {
    const at = path.length - 1;
    if (colon !== undefined) path[at] = JSON.parse(quoted!) as string;
    else if (number !== undefined) found.set(pathOf(path), number);
    else if (mark === "{") path.push("");
    else if (mark === "[") path.push(0);
    else if (mark === "}" || mark === "]") path.pop();
    else if (mark === "," && typeof path[at] === "number") path[at] += 1;
  }
  return found;
};

/** How numbers were spelled before. */
export interface SpelledOptions {
  /** Numbers as they came; one that has changed since is written anew. */
  readonly spellings?: Spellings;
  /** Names of fields whose numbers are real ones, however whole. */
  readonly reals?: ReadonlySet<string>;
}

/** A whole number with a point, as long as it has no exponent. */
const withPoint = (text: string): string => (/^-?\d+$/.test(text) ? `${text}.0` : text);

/** JSON in two spaces' steps, as JSON.stringify writes it but for the spelling of its numbers. */
export const spelledJson = (value: unknown, { spellings, reals }: SpelledOptions = {}): string => {
  const numeral = (n: number, keys: readonly Key[]): string => {
    const own = spellings?.get(pathOf(keys));
    if (own !== undefined && Number(own) === n) return own;
    return reals?.has(String(keys.at(-1))) ? withPoint(String(n)) : String(n);
  };
  const list = (marks: string, parts: readonly string[], depth: number): string => {
    if (parts.length === 0) return marks;
    const line = `\n${"  ".repeat(depth)}`;
    return `${marks[0]}${line}  ${parts.join(`,${line}  `)}${line}${marks[1]}`;
  };
  const write = (v: unknown, keys: readonly Key[]): string => {
    const depth = keys.length;
    if (typeof v === "number" && Number.isFinite(v)) return numeral(v, keys);
    if (Array.isArray(v))
      return list(
        "[]",
        v.map((item, i) => write(item ?? null, [...keys, i])),
        depth,
      );
    if (typeof v !== "object" || v === null) return JSON.stringify(v);
    const fields = Object.entries(v).filter(([, item]) => item !== undefined);
    return list(
      "{}",
      fields.map(([key, item]) => `${JSON.stringify(key)}: ${write(item, [...keys, key])}`),
      depth,
    );
  };
  return write(value, []);
};
