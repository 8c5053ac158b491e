/** The programs of a cut compute what the whole does, and nothing twice. */
import { expect, test } from "vitest";
import { add, mul } from "../ops/elementwise.ts";
import { cut } from "./cut.ts";
import { isConstant, isInput, type Value } from "./op.ts";
import { nodesOf, type Program, print, trace } from "./program.ts";

const type = { dtype: "float32", shape: [2] } as const;
const program = trace({ x: type, y: type }, ({ x, y }) => {
  const [sum, square] = [add(x, y), mul(x, x)];
  return { first: mul(sum, 2), second: add(mul(sum, square), y), third: square, again: sum };
});

test("what a later program needs of an earlier one is kept for it by name", () => {
  const stages = cut(program, [["first"], ["second"], ["third", "again"]]);
  expect(stages.map(({ program: stage }) => print(stage))).toMatchInlineSnapshot(`
    [
      "input x: float32[2]
    input y: float32[2]
    %2 float32[2] = add(x, y)
    %3 float32[] = constant(value=float32[]{2})
    %4 float32[2] = mul(%2, %3)
    output first = %4
    output kept.0 = %2
    ",
      "input kept.0: float32[2]
    input x: float32[2]
    %2 float32[2] = mul(x, x)
    %3 float32[2] = mul(kept.0, %2)
    input y: float32[2]
    %5 float32[2] = add(%3, y)
    output second = %5
    output kept.1 = %2
    ",
      "input kept.1: float32[2]
    input kept.0: float32[2]
    output third = kept.1
    output again = kept.0
    ",
    ]
  `);
  expect(stages.map(({ kept }) => Object.keys(kept))).toEqual([["kept.0"], ["kept.1"], []]);
});

test("no node is in two of them, and none is left out", () => {
  const stages = cut(program, [["third"], ["again", "second"], ["first"]]);
  const count = (of: Program) => nodesOf(of).filter((node) => !isInput(node) && !isConstant(node)).length;
  const all = stages.reduce((sum, { program: stage }) => sum + count(stage), 0);
  expect(all).toBe(count(program));
  const outputs = stages.flatMap(({ program: stage }) => Object.keys(stage.outputs as Record<string, Value>));
  expect(outputs.filter((name) => !name.startsWith("kept."))).toEqual(["third", "again", "second", "first"]);
});
