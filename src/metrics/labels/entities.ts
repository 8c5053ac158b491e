/**
 * Entities out of tags, as seqeval finds them (https://github.com/chakki-works/seqeval): by default as the
 * CoNLL-2000 script does, which makes the best of tags that do not follow one another; or strictly by a
 * scheme.
 */
import { DataError } from "../../util/errors.ts";

/** A scheme whose tags must follow one another as it says; an entity that does not is none. */
export type TagScheme = "IOB2" | "IOBES" | "BILOU";

/** A run of words that is one thing. */
export interface Entity {
  readonly type: string;
  /** Index of its first word. */
  readonly start: number;
  /** Index behind its last word. */
  readonly end: number;
}

interface Tag {
  readonly prefix: string;
  readonly type: string;
}

const OUTSIDE: Tag = { prefix: "O", type: "_" };

/** BILOU's last and unit are IOBES's end and single. seqeval's default mode knows neither, and joins them. */
const sameAs: Readonly<Record<string, string>> = { L: "E", U: "S" };

const prefixes: Readonly<Record<TagScheme, string>> = { IOB2: "BI", IOBES: "BIES", BILOU: "BILU" };

/**
 * `B-PER` -> B and PER; a type that is not told is `_`. Throws DataError for what is no tag of the scheme.
 */
const parse = (tag: string, known: string): Tag => {
  if (tag === "O") return OUTSIDE;
  const prefix = tag.charAt(0);
  if (!known.includes(prefix) || !(tag.length === 1 || tag.charAt(1) === "-")) {
    const forms = Array.from(known, (p) => `${p}-TYPE`).join(", ");
    throw new DataError(`${JSON.stringify(tag)} is no tag of an entity`, { hint: `tags are O, ${forms}` });
  }
  return { prefix: sameAs[prefix] ?? prefix, type: tag.slice(2) || "_" };
};

/** Whether an entity goes on from one word to the next: nothing ends at the first or starts at the second. */
const continues = (before: Tag, now: Tag): boolean =>
  "BI".includes(before.prefix) && "IE".includes(now.prefix) && before.type === now.type;

/** All runs of tags that belong together, whole by the scheme or not. */
const runs = (tags: readonly Tag[]): Entity[] => {
  const found: Entity[] = [];
  let start = 0;
  for (const [i, tag] of tags.entries()) {
    const next = tags[i + 1] ?? OUTSIDE;
    if (continues(tag, next)) continue;
    if (tag.prefix !== "O") found.push({ type: tag.type, start, end: i + 1 });
    start = i + 1;
  }
  return found;
};

/** Whether a run begins, and by IOBES ends, as its scheme says. */
const whole = ({ start, end }: Entity, tags: readonly Tag[], scheme: TagScheme): boolean => {
  const [first, last] = [tags[start]!.prefix, tags[end - 1]!.prefix];
  return scheme === "IOB2" ? first === "B" : first === "S" || (first === "B" && last === "E");
};

/**
 * The entities of a sentence's tags, in order. Without a scheme, tags of all schemes are read, and an entity
 * may begin or end with any tag. Throws DataError where a text is no tag.
 */
export const entitiesOf = (tags: readonly string[], scheme?: TagScheme): readonly Entity[] => {
  const parsed = tags.map((tag) => parse(tag, scheme ? prefixes[scheme] : "BIESLU"));
  const found = runs(parsed);
  return scheme ? found.filter((entity) => whole(entity, parsed, scheme)) : found;
};
