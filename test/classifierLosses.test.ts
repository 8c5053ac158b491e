/** Losses of classifiers of texts and their gradients against PyTorch's (golden/classifierLosses.py). */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compile } from "../src/engine/compile.ts";
import type { Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { tensorOf } from "../src/ir/tensor.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { sum } from "../src/ops/structure.ts";
import {
  multiLabel,
  type Objective,
  regression,
  type SequenceClassificationOptions,
  sequenceClassification,
} from "../src/tasks/index.ts";
import { binaryLosses } from "../src/tasks/sequenceClassification.ts";

interface Case extends Pick<SequenceClassificationOptions, "classWeights" | "labelSmoothing"> {
  readonly name: string;
  readonly logits: readonly (readonly number[])[];
  readonly labels: readonly number[] | readonly (readonly number[])[];
  readonly loss: number;
  readonly gradient: readonly (readonly number[])[];
}

const golden = JSON.parse(
  readFileSync(new URL("golden/classifierLosses.json", import.meta.url), "utf8"),
) as readonly Case[];

const objectiveOf = ({ name, classWeights, labelSmoothing, logits }: Case): Objective => {
  const how = {
    ...(classWeights === undefined ? {} : { classWeights }),
    ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
  };
  if (name === "number") return regression();
  return name.startsWith("several") ? multiLabel(logits[0]!.length, how) : sequenceClassification(how);
};

test.each(golden)("$name", async (given) => {
  const { logits, labels, loss, gradient } = given;
  const objective = objectiveOf(given);
  const [rows, width] = [logits.length, logits[0]!.length];
  const { attentionMask: _, ...types } = objective.inputs({ batch: rows, context: 1, vocab: 2 });
  const spec = { logits: { dtype: "float32", shape: [rows, width] }, batch: types } as const;
  const program = trace(spec, ({ logits: x, batch }) => {
    const value = meanLoss(objective.totals({ logits: x, hidden: x, present: [] }, batch));
    return { value, slope: grad(value, x) as Value };
  });
  const session = await compile(await nodeEngine({ threads: 1 }), program);
  const { dtype, shape } = types.labels!;
  const out = await session.run({
    logits: tensorOf("float32", [rows, width], logits.flat()),
    "batch.labels": tensorOf(dtype, shape as number[], labels.flat()),
    ...(types.counted === undefined
      ? {}
      : { "batch.counted": tensorOf("float32", [rows], new Array<number>(rows).fill(1)) }),
  });
  await session.dispose();
  expect(Math.abs(Number(out.value!.data[0]) - loss)).toBeLessThan(1e-5);
  const wanted = gradient.flat();
  for (const [i, x] of Array.from(out.slope!.data, Number).entries()) {
    expect(Math.abs(x - wanted[i]!)).toBeLessThan(1e-6);
  }
});

test("a logit of exactly 0 has the slope of the sigmoid: 1/2 less what is right", async () => {
  const spec = { x: { dtype: "float32", shape: [1, 3] }, y: { dtype: "float32", shape: [1, 3] } } as const;
  const program = trace(spec, ({ x, y }) => ({ slope: grad(sum(binaryLosses(x, y)), x) as Value }));
  const session = await compile(await nodeEngine({ threads: 1 }), program);
  const given = { x: tensorOf("float32", [1, 3], [0, 0, 0]), y: tensorOf("float32", [1, 3], [0, 1, 0.25]) };
  const { slope } = await session.run(given);
  await session.dispose();
  expect(Array.from(slope!.data, Number)).toEqual([0.5, -0.5, 0.25]);
});
