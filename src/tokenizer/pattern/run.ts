/**
 * Runs programs by backtracking, as Oniguruma does. One with a memory knows from where there is no match
 * (Davis et al. 2021, https://arxiv.org/abs/2106.07453), so its time grows with the text and the program,
 * never with the number of ways to match.
 */
import { setsOf } from "./codeSet.ts";
import { FAILED, type Memory, memoryOf, UNKNOWN } from "./memory.ts";
import { before, codeAt, places } from "./places.ts";
import { Op, type Program } from "./program.ts";

/** No match. */
const NONE = -1;

/** Why a run was given up. */
export class TooManySteps extends Error {}

/** A program at work on a text. */
export interface Machine {
  readonly program: Program;
  readonly text: string;
  readonly memory: Memory | undefined;
  /** Steps that may still be taken. */
  steps: number;
  /** The next instruction, and the place in the text. */
  pc: number;
  at: number;
  /** Ways of a choice that are left to try, as bits; 0 where it is new. */
  ways: number;
  /**
   * What to come back to, three numbers each: an instruction, a place, and the least place that a run may go
   * back to or, as ~ways, the ways left of a choice. A negative instruction is a slot from where nothing
   * was found.
   */
  stack: Int32Array;
  top: number;
}

/** A machine for `program` on `text`, which gives up after a number of steps. */
export const machine = (program: Program, text: string, steps: number): Machine => ({
  program,
  text,
  memory: program.slots > 0 ? memoryOf(program.slots) : undefined,
  steps,
  pc: 0,
  at: 0,
  ways: 0,
  stack: new Int32Array(192),
  top: 0,
});

const push = (m: Machine, pc: number, at: number, third: number): void => {
  if (m.top + 3 > m.stack.length) {
    const wider = new Int32Array(m.stack.length * 2);
    wider.set(m.stack);
    m.stack = wider;
  }
  const { stack, top } = m;
  stack[top] = pc;
  stack[top + 1] = at;
  stack[top + 2] = third;
  m.top = top + 3;
};

const note = (m: Machine, slot: number, at: number, found: number): void => {
  if (!m.memory!.set(slot, at, found)) throw new TooManySteps();
};

/** What is known of a slot at this place; leaves a mark where nothing is. */
const recall = (m: Machine, slot: number): number => {
  if (slot < 0) return UNKNOWN;
  const known = m.memory!.get(slot, m.at);
  if (known === UNKNOWN) push(m, ~slot, m.at, -1);
  return known;
};

/** As many characters of a set as there are, up to a number. */
const takeRun = (m: Machine): boolean => {
  const { program, text, pc, at } = m;
  const { code } = program;
  const table = program.tables[code[pc + 1]!]!;
  const [least, most] = [code[pc + 2]!, code[pc + 3]!];
  let [end, count, lowest] = [at, 0, at];
  while (count < most && end < text.length) {
    const char = codeAt(text, end);
    if (setsOf(table, char) === 0) break;
    end += char > 0xffff ? 2 : 1;
    if (++count === least) lowest = end;
  }
  m.steps -= count;
  if (count < least) return false;
  m.pc = pc + 5;
  m.at = end;
  if (count > least && code[pc + 4] === 0) push(m, pc + 5, end, lowest);
  return true;
};

/** An instruction that reads the text; returns false where it does not match. */
const consume = (m: Machine, op: number): boolean => {
  const { program, text, pc, at } = m;
  const argument = program.code[pc + 1]!;
  if (op === Op.run) return takeRun(m);
  if (op === Op.place) {
    m.pc = pc + 2;
    return places[argument]!(text, at);
  }
  const char = at < text.length ? codeAt(text, at) : -1;
  if (op === Op.next) {
    m.pc = pc + 3;
    const found = char >= 0 && setsOf(program.tables[argument]!, char) !== 0;
    return found !== (program.code[pc + 2] === 1);
  }
  m.pc = pc + 2;
  m.at = at + (char > 0xffff ? 2 : 1);
  if (op === Op.char) return char === argument;
  return char >= 0 && setsOf(program.tables[argument]!, char) !== 0;
};

/** Goes the first of many ways that may match; what is known of them, as `recall` says. */
const choose = (m: Machine): number => {
  const { program, text, pc, at } = m;
  const { code, tables } = program;
  let { ways } = m;
  if (ways === 0) {
    ways = at < text.length ? setsOf(tables[code[pc + 1]!]!, codeAt(text, at)) : code[pc + 2]!;
    if (ways === 0) return FAILED;
    const known = recall(m, code[pc + 3]!);
    if (known !== UNKNOWN) return known;
  }
  const way = 31 - Math.clz32(ways & -ways);
  const rest = ways & (ways - 1);
  m.ways = 0;
  if (rest !== 0) push(m, pc, at, ~rest);
  m.pc = code[pc + 5 + way]!;
  return UNKNOWN;
};

/** Goes the first of two ways, unless it cannot match. */
const split = (m: Machine): number => {
  const { program, text, pc, at } = m;
  const { code, tables } = program;
  const peek = code[pc + 3]!;
  if (peek >= 0 && (at === text.length || setsOf(tables[peek]!, codeAt(text, at)) === 0)) {
    m.pc = code[pc + 2]!;
    return UNKNOWN;
  }
  const known = recall(m, code[pc + 4]!);
  if (known !== UNKNOWN) return known;
  push(m, code[pc + 2]!, at, -1);
  m.pc = code[pc + 1]!;
  return UNKNOWN;
};

const matchesBehind = (m: Machine, pc: number, at: number): boolean => {
  const { code } = m.program;
  const [least, most] = [code[pc + 3]!, code[pc + 4]!];
  let start = at;
  for (let width = 0; width <= most; width++) {
    if (width >= least && run(m, code[pc + 1]!, start, at) !== NONE) return true;
    if (start === 0) return false;
    start = before(m.text, start);
  }
  return false;
};

/** An instruction with a program of its own; returns false where it does not match. */
const inner = (m: Machine, op: number): boolean => {
  const { pc, at } = m;
  const { code } = m.program;
  if (op === Op.behind) {
    const found = matchesBehind(m, pc, at);
    m.pc = pc + 5;
    m.at = at;
    return found !== (code[pc + 2] === 1);
  }
  const end = run(m, code[pc + 1]!, at, NONE);
  if (op === Op.atomic) {
    m.pc = pc + 2;
    m.at = end;
    return end !== NONE;
  }
  m.pc = pc + 3;
  m.at = at;
  return (end !== NONE) !== (code[pc + 2] === 1);
};

/** Comes back to what is left to try above `base`; returns false where nothing is. */
const goBack = (m: Machine, base: number): boolean => {
  while (m.top > base) {
    m.top -= 3;
    const { stack, top } = m;
    const [pc, at, third] = [stack[top]!, stack[top + 1]!, stack[top + 2]!];
    if (pc < 0) {
      note(m, ~pc, at, FAILED);
      continue;
    }
    m.pc = pc;
    m.at = at;
    if (third < 0) m.ways = ~third;
    else {
      m.at = before(m.text, at);
      if (m.at > third) push(m, pc, m.at, third);
    }
    return true;
  }
  return false;
};

/** Unwinds to `base` after a match that ends at `end`, which a `part` of a match remembers. */
const succeed = (m: Machine, base: number, end: number, part: boolean): number => {
  while (part && m.memory !== undefined && m.top > base) {
    m.top -= 3;
    const pc = m.stack[m.top]!;
    if (pc < 0) note(m, ~pc, m.stack[m.top + 1]!, end + 1);
  }
  m.top = base;
  return end;
};

/** End of the match of the program at `start` from `from` on, which must be `target` unless that is NONE. */
const run = (m: Machine, start: number, from: number, target: number, part = true): number => {
  const base = m.top;
  const { code } = m.program;
  m.pc = start;
  m.at = from;
  m.ways = 0;
  for (;;) {
    if (--m.steps < 0) throw new TooManySteps();
    const op = code[m.pc]!;
    let matches = true;
    if (op === Op.accept) {
      if (target === NONE || m.at === target) return succeed(m, base, m.at, part);
      matches = false;
    } else if (op < Op.jump) matches = consume(m, op);
    else if (op === Op.jump) m.pc = code[m.pc + 1]!;
    else if (op < Op.ahead) {
      const known = op === Op.split ? split(m) : choose(m);
      if (known > UNKNOWN) return succeed(m, base, known - 1, part);
      matches = known === UNKNOWN;
    } else matches = inner(m, op);
    if (!matches && !goBack(m, base)) return NONE;
  }
};

/** End of the match that starts at `at`, or -1. Throws TooManySteps. */
export const matchAt = (m: Machine, at: number): number => {
  m.top = 0;
  return run(m, 0, at, NONE, false);
};
