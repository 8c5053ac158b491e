/** Losses of distillation and their gradients against PyTorch's (golden/distillation.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compile } from "../src/engine/compile.ts";
import { constant, type Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { tensorOf } from "../src/ir/tensor.ts";
import { type Divergence, distillLoss } from "../src/nn/divergence.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { mean } from "../src/ops/reduce.ts";
import { reshape } from "../src/ops/structure.ts";
import { imitation } from "../src/tasks/embedding/imitation.ts";
import type { VectorLossName } from "../src/tasks/teaching/distillation.ts";
import { hiddenLoss, relationLoss } from "../src/tasks/teaching/innerLosses.ts";
import { modelOf } from "./e2e/exported.ts";

interface Case {
  readonly name: string;
  readonly inputs: readonly { readonly values: readonly number[]; readonly shape: readonly number[] }[];
  readonly loss: number;
  readonly gradient: readonly number[];
  readonly divergence?: Divergence;
  readonly alpha?: number;
  readonly temperature?: number;
  readonly heads?: number;
}

const golden = JSON.parse(
  readFileSync(new URL("golden/distillation.json", import.meta.url), "utf8"),
) as readonly Case[];

const mask = constant(tensorOf("float32", [2, 4], [1, 1, 1, 0, 1, 1, 0, 0]));
/** One token a text, of which the last does not count. */
const texts = constant(tensorOf("int32", [4, 1], [1, 1, 1, 0]));

const vectorLoss = (by: VectorLossName, mine: Value, theirs: Value): Value => {
  const teacher = modelOf("bert", "features");
  const pooling = { mode: "mean", normalize: false } as const;
  const hidden = reshape(mine, [4, 1, 3]);
  const outputs = { hidden, logits: hidden, present: [] };
  const { totals } = imitation({ teacher, by, pooling });
  return meanLoss(totals(outputs, { attentionMask: texts, teacherVectors: theirs }));
};

const lossOf = (
  { name, divergence, alpha, temperature, heads }: Case,
  [s, t, p]: readonly Value[],
): Value => {
  if (divergence !== undefined) {
    const labels = constant(tensorOf("int32", [4, 1], [2, 0, 5, 1]));
    return mean(distillLoss(s!, t!, labels, { divergence, alpha: alpha!, temperature: temperature! }));
  }
  if (name === "hidden") return hiddenLoss(s!, t!, p!, mask);
  if (name === "relation") return relationLoss([s!, s!], [t!, t!], mask, heads!);
  return vectorLoss(name as VectorLossName, s!, t!);
};

test.each(golden)("$name, alpha $alpha, temperature $temperature", async (given) => {
  const types = given.inputs.map(({ shape }) => ({ dtype: "float32", shape }) as const);
  const program = trace({ x: types }, ({ x }) => {
    const loss = lossOf(given, x);
    return { loss, slope: grad(loss, x[0]!) as Value };
  });
  const session = await compile(await nodeEngine({ threads: 1 }), program);
  const feeds = given.inputs.map(({ shape, values }, i) => [`x.${i}`, tensorOf("float32", shape, values)]);
  const { loss, slope } = await session.run(Object.fromEntries(feeds));
  await session.dispose();
  expect(Math.abs(Number(loss!.data[0]) - given.loss)).toBeLessThan(1e-5);
  for (const [i, x] of Array.from(slope!.data, Number).entries()) {
    expect(Math.abs(x - given.gradient[i]!)).toBeLessThan(2e-6);
  }
});
