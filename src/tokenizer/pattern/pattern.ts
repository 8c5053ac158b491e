/**
 * Patterns of tokenizer.json files, which are of Oniguruma's kind and of Unicode: JavaScript's own
 * expressions mean other things by `\w`, `\d`, `\b`, `^` and `$`, lack what is possessive, and take time
 * without end on some.
 */
import { setsOf } from "./codeSet.ts";
import { compile } from "./compile.ts";
import { parse } from "./parse.ts";
import { codeAt } from "./places.ts";
import type { Program } from "./program.ts";
import { type Machine, machine, matchAt, TooManySteps } from "./run.ts";
import { refusePattern } from "./scanner.ts";

/** Calls `emit` with start and end of each match in a text, in order. */
export type Matcher = (text: string, emit: (start: number, end: number) => void) => void;

/** Steps that a program may take without a memory, a character of the text. */
const FAST_STEPS = 32;
/** And one with a memory: many of a long program's instructions. */
const LINEAR_STEPS = 128;
const FEW = 10_000;
const MANY = 2e7;

/** A pattern's programs: without and, made when it is needed, with a memory. */
interface Programs {
  readonly fast: Program;
  readonly linear: () => Program;
}

/** Start and end of the first match from `from` on. */
type Search = (from: number) => readonly [start: number, end: number] | undefined;

const searchOf = (source: string, { fast, linear }: Programs, text: string): Search => {
  let current: Machine = machine(fast, text, text.length * FAST_STEPS + FEW);
  let isFast = true;
  const match = (at: number): number => {
    try {
      return matchAt(current, at);
    } catch (error) {
      if (!(error instanceof TooManySteps)) throw error;
    }
    if (!isFast) return refusePattern(source, `takes too long on a text of ${text.length} characters`);
    isFast = false;
    current = machine(linear(), text, text.length * LINEAR_STEPS + MANY);
    return match(at);
  };
  const { first } = fast;
  return (from) => {
    current.memory?.forget(from);
    for (let start = from; start <= text.length; ) {
      const code = start < text.length ? codeAt(text, start) : -1;
      if (first === undefined || (code >= 0 && setsOf(first, code) !== 0)) {
        const end = match(start);
        if (end >= 0) return [start, end];
      }
      start += code > 0xffff ? 2 : 1;
    }
    return undefined;
  };
};

/**
 * Finds the matches of a pattern: as the Rust library does, an empty one only where none ends. Its time is
 * linear in the text. Throws FormatError where the pattern is malformed or has what is not known here.
 */
export const patternOf = (source: string): Matcher => {
  const root = parse(source);
  let linear: Program | undefined;
  const programs: Programs = {
    fast: compile(source, root, false),
    linear: () => {
      linear ??= compile(source, root, true);
      return linear;
    },
  };
  return (text, emit) => {
    const search = searchOf(source, programs, text);
    let last = -1;
    for (let from = 0; from <= text.length; ) {
      const found = search(from);
      if (found === undefined) return;
      const [start, end] = found;
      if (start === end && end === last) {
        from += from < text.length && codeAt(text, from) > 0xffff ? 2 : 1;
        continue;
      }
      emit(start, end);
      from = end;
      last = end;
    }
  };
};
