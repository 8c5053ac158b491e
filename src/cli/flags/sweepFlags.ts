/** A sweep takes the flags of the runs that it tries; its help shows few of them beside its own. */
import type { Flag, Section, VerbName } from "./flag.ts";

/** What its help shows of them. */
const shown: readonly string[] = [
  ...["--data", "--from", "--steps", "--epochs", "--batch", "--lr"],
  ...["--out", "--threads", "--config", "--json"],
];
/** What tries a run, goes on with one, or shares one: a sweep has a --resume of its own. */
const apart: readonly string[] = ["--check", "--find-lr", "--resume", "--mpi-lib", "--mpi-timeout"];

const without = (verbs: readonly VerbName[]): VerbName[] => verbs.filter((verb) => verb !== "sweep");

const taken = (flag: Flag, verbs: readonly VerbName[], every: readonly VerbName[]): Flag => {
  const name = /--[\w-]+/.exec(flag.flag)![0];
  const tried = verbs.includes("train") || verbs.includes("finetune");
  const takes = !apart.includes(name) && (tried || verbs.includes("sweep"));
  const { common = [], ...rest } = flag;
  const seen = without(common === true ? every : common);
  return {
    ...rest,
    verbs: takes ? [...without(verbs), "sweep"] : without(verbs),
    common: takes && shown.includes(name) ? [...seen, "sweep"] : seen,
  };
};

/** The sections with what a sweep takes of them. */
export const withSweep = (sections: readonly Section[], every: readonly VerbName[]): readonly Section[] =>
  sections.map((section) => ({
    ...section,
    flags: section.flags.map((flag) => taken(flag, flag.verbs ?? section.verbs, every)),
  }));
