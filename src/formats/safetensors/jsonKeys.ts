/**
 * Keys of a JSON text with their places: JSON.parse keeps the last of two equal keys in silence, and says of
 * none where it stands.
 */
export interface Key {
  readonly key: string;
  /** Byte offset in the text. */
  readonly offset: number;
}

const [QUOTE, ESCAPE, COLON] = [0x22, 0x5c, 0x3a];

/** Index after the string that begins at `start`. */
const stringEnd = (text: string, start: number): number => {
  let i = start + 1;
  for (let c = text.charCodeAt(i); c !== QUOTE; c = text.charCodeAt(i)) i += c === ESCAPE ? 2 : 1;
  return i + 1;
};

const keyOf = (text: string, start: number, end: number): string => {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes("\\") ? (JSON.parse(text.slice(start, end)) as string) : raw;
};

/** Calls `visit` with each key of a valid JSON text, its object (a number of its own) and its depth. */
const eachKey = (
  text: string,
  visit: (key: string, index: number, object: number, depth: number) => void,
): void => {
  const open: number[] = [];
  let [objects, start, end] = [0, 0, 0];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      start = i;
      end = stringEnd(text, start);
      i = end - 1;
    } else if (c === COLON) visit(keyOf(text, start, end), start, open.at(-1)!, open.length);
    // "[" and "{" differ by one bit, and so do "]" and "}".
    else if ((c | 0x20) === 0x7b) open.push(objects++);
    else if ((c | 0x20) === 0x7d) open.pop();
  }
};

const bytesBefore = (text: string, index: number): number =>
  new TextEncoder().encode(text.slice(0, index)).length;

/**
 * The first key that stands twice in one object of a valid JSON text: JSON.parse keeps the last in
 * silence.
 */
export const repeatedKey = (text: string): Key | undefined => {
  // The open object of each depth: a closed one's keys are let go, for a header may have millions.
  const open = new Map<number, { object: number; keys: Set<string> }>();
  let found: { key: string; index: number } | undefined;
  eachKey(text, (key, index, object, depth) => {
    const last = open.get(depth);
    const keys = last?.object === object ? last.keys : new Set<string>();
    if (keys.has(key)) found ??= { key, index };
    open.set(depth, { object, keys: keys.add(key) });
  });
  return found === undefined ? undefined : { key: found.key, offset: bytesBefore(text, found.index) };
};

/** Keys of the outermost object, in order. */
export const topLevelKeys = (text: string): Key[] => {
  const keys: Key[] = [];
  let [index, offset] = [0, 0];
  eachKey(text, (key, start, _object, depth) => {
    if (depth !== 1) return;
    offset += bytesBefore(text.slice(index, start), start - index);
    index = start;
    keys.push({ key, offset });
  });
  return keys;
};
