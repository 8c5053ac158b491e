/** A comparison takes the flags of an evaluation, for it makes two. */
import type { Flag, Section, VerbName } from "./flag.ts";

/** What it does not write, and what it has under another name. */
const apart: readonly string[] = ["--out"];

const taken = (flag: Flag, verbs: readonly VerbName[]): Flag => {
  const name = /--[\w-]+/.exec(flag.flag)![0];
  if (!verbs.includes("eval") || apart.includes(name)) return { ...flag, verbs };
  const { common } = flag;
  const seen = common !== undefined && common !== true && common.includes("eval");
  return {
    ...flag,
    verbs: [...new Set([...verbs, "compare" as const])],
    ...(seen ? { common: [...new Set([...common, "compare" as const])] } : {}),
  };
};

/** The sections with what a comparison takes of them. */
export const withCompare = (sections: readonly Section[]): readonly Section[] =>
  sections.map((section) => ({
    ...section,
    flags: section.flags.map((flag) => taken(flag, flag.verbs ?? section.verbs)),
  }));
