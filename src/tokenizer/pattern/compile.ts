/** Compiles patterns to programs. */
import { firstOf, type Node, widthOf } from "./ast.ts";
import { type CodeTable, type CodeTest, codeTable } from "./codeSet.ts";
import { Op, PLACES, type Program } from "./program.ts";
import { refusePattern } from "./scanner.ts";

/** Longest program, numbers. */
const MAX_CODE = 1 << 15;

const UNLIMITED = 0x7fffffff;

/** Most ways of one choice. */
const MAX_WAYS = 30;

/** A body that has a program of its own. */
interface Later {
  readonly body: Node;
  /** Where the number of its program stands. */
  readonly at: number;
  readonly remembers: boolean;
  /** Its match may end anywhere. */
  readonly last: boolean;
}

interface Emitter {
  readonly code: number[];
  readonly later: Later[];
  /** Without runs: each repetition has a slot of the memory. */
  readonly linear: boolean;
  /** Off where what follows depends on more than the place in the text. */
  remembers: boolean;
  emit(...numbers: number[]): number;
  table(tests: readonly CodeTest[]): number;
  slot(): number;
}

const isAny =
  (tests: readonly CodeTest[]): CodeTest =>
  (code) => {
    for (const test of tests) if (test(code)) return true;
    return false;
  };

/** A test of one character, where a node is one. */
const single = (node: Node): CodeTest | undefined => {
  if (node.type === "set") return node.test;
  return node.type === "char" ? (code) => code === node.code : undefined;
};

const split = (e: Emitter, likely: Node | undefined): number => {
  const first = likely && firstOf(likely);
  const peek = first === undefined || first.empty ? -1 : e.table([isAny(first.tests)]);
  return e.emit(Op.split, 0, 0, peek, e.slot());
};

const choose = (e: Emitter, options: readonly Node[], last: boolean): void => {
  const firsts = options.map(firstOf);
  const empty = firsts.reduce((bits, first, i) => (first.empty ? bits | (1 << i) : bits), 0);
  const table = e.table(firsts.map((first) => (first.empty ? () => true : isAny(first.tests))));
  const at = e.emit(Op.choose, table, empty, e.slot(), options.length, ...options.map(() => 0));
  const ends = options.map((option, i) => {
    e.code[at + 5 + i] = e.code.length;
    emitNode(e, option, last);
    return e.emit(Op.jump, 0);
  });
  for (const end of ends) e.code[end + 1] = e.code.length;
};

const either = (e: Emitter, options: readonly Node[], last: boolean): void => {
  if (options.length <= MAX_WAYS) {
    choose(e, options, last);
    return;
  }
  const size = Math.ceil(options.length / MAX_WAYS);
  const groups: Node[] = [];
  for (let i = 0; i < options.length; i += size)
    groups.push({ type: "either", options: options.slice(i, i + size) });
  choose(e, groups, last);
};

/** `body` once or not at all, or as often as there is one where it is a `loop`. */
const optional = (e: Emitter, body: Node, lazy: boolean, loop: boolean): void => {
  const at = split(e, lazy ? undefined : body);
  const start = e.code.length;
  emitNode(e, body, false);
  if (loop) e.emit(Op.jump, at);
  const end = e.code.length;
  e.code[at + 1] = lazy ? end : start;
  e.code[at + 2] = lazy ? start : end;
};

/** `body` at most `most` times: each stands within the one before. */
const upTo = (e: Emitter, body: Node, most: number, lazy: boolean): void => {
  const exits: number[] = [];
  for (let i = 0; i < most; i++) {
    const at = split(e, lazy ? undefined : body);
    e.code[at + (lazy ? 2 : 1)] = e.code.length;
    exits.push(at + (lazy ? 1 : 2));
    emitNode(e, body, false);
  }
  for (const exit of exits) e.code[exit] = e.code.length;
};

const repeat = (e: Emitter, node: Extract<Node, { type: "repeat" }>, last: boolean): void => {
  const { body, min, max, lazy } = node;
  const test = single(body);
  if (test !== undefined && !lazy && !e.linear) {
    e.emit(Op.run, e.table([test]), min, Math.min(max, UNLIMITED), last ? 1 : 0);
    return;
  }
  for (let i = 0; i < min; i++) emitNode(e, body, false);
  if (max === Number.POSITIVE_INFINITY) optional(e, body, lazy, true);
  else upTo(e, body, max - min, lazy);
};

const look = (e: Emitter, { body, behind, negative }: Extract<Node, { type: "look" }>): void => {
  const test = single(body);
  const not = negative ? 1 : 0;
  if (!behind && test !== undefined) {
    e.emit(Op.next, e.table([test]), not);
    return;
  }
  const remembers = e.remembers && !behind;
  e.later.push({ body, at: e.code.length + 1, remembers, last: !behind });
  if (behind) e.emit(Op.behind, 0, not, ...widthOf(body));
  else e.emit(Op.ahead, 0, not);
};

/** Emits a node; `last` where a match ends after it, wherever that is. */
const emitNode = (e: Emitter, node: Node, last: boolean): void => {
  if (node.type === "char") e.emit(Op.char, node.code);
  else if (node.type === "set") e.emit(Op.set, e.table([node.test]));
  else if (node.type === "either") either(e, node.options, last);
  else if (node.type === "repeat") repeat(e, node, last);
  else if (node.type === "look") look(e, node);
  else if (node.type === "place") e.emit(Op.place, PLACES.indexOf(node.place));
  else if (node.type === "atomic") {
    e.later.push({ body: node.body, at: e.code.length + 1, remembers: e.remembers, last: true });
    e.emit(Op.atomic, 0);
  } else for (const [i, part] of node.parts.entries()) emitNode(e, part, last && i === node.parts.length - 1);
};

/** The program of a pattern; a `linear` one has a memory. Throws FormatError where it is too long. */
export const compile = (source: string, root: Node, linear: boolean): Program => {
  const tables: CodeTable[] = [];
  const known = new Map<CodeTest, number>();
  let slots = 0;
  const e: Emitter = {
    code: [],
    later: [],
    linear,
    remembers: true,
    emit: (...numbers) => {
      if (e.code.length > MAX_CODE) refusePattern(source, "is too long when its repetitions are written out");
      return e.code.push(...numbers) - numbers.length;
    },
    table: (tests) => {
      const found = tests.length === 1 ? known.get(tests[0]!) : undefined;
      if (found !== undefined) return found;
      if (tests.length === 1) known.set(tests[0]!, tables.length);
      return tables.push(codeTable(tests)) - 1;
    },
    slot: () => (linear && e.remembers ? slots++ : -1),
  };
  e.later.push({ body: root, at: -1, remembers: true, last: true });
  for (let i = 0; i < e.later.length; i++) {
    const { body, at, remembers, last } = e.later[i]!;
    if (at >= 0) e.code[at] = e.code.length;
    e.remembers = remembers;
    emitNode(e, body, last);
    e.emit(Op.accept);
  }
  const first = firstOf(root);
  const starts = first.empty ? {} : { first: codeTable([isAny(first.tests)]) };
  return { code: Int32Array.from(e.code), tables, slots, ...starts };
};
