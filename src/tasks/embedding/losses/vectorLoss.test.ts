/**
 * Losses of vectors against sentence-transformers (test/golden/vectorLosses.py), and batches that are not
 * full.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../../autodiff/grad.ts";
import { compile } from "../../../engine/compile.ts";
import type { Engine } from "../../../engine/engine.ts";
import { trace } from "../../../ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../../../ir/tensor.ts";
import { meanLoss } from "../../../nn/loss.ts";
import { nodeEngine } from "../../../node/runtime/engine.ts";
import { batchTriplets } from "./batchTriplets.ts";
import { cosent } from "./cosent.ts";
import type { Distance } from "./distance.ts";
import { inBatchNegatives } from "./inBatchNegatives.ts";
import { matryoshka } from "./matryoshka.ts";
import { tripletMargin } from "./tripletMargin.ts";
import type { VectorLoss } from "./vectorLoss.ts";

interface Case {
  readonly kind: keyof typeof made;
  readonly texts: number;
  readonly scale?: number;
  readonly margin?: number;
  readonly distance?: Distance;
  readonly widths?: readonly number[];
  readonly labels?: readonly number[];
  readonly loss: number;
  /** By text: [batch * width]. */
  readonly gradients: readonly (readonly number[])[];
}
interface Golden {
  readonly batch: number;
  readonly width: number;
  readonly cases: Readonly<Record<string, Case>>;
}

const made = {
  "in-batch-negatives": inBatchNegatives,
  cosent,
  "triplet-margin": tripletMargin,
  "batch-triplets": batchTriplets,
};

const file = new URL("../../../../test/golden/vectorLosses.json", import.meta.url);
const golden = JSON.parse(readFileSync(file, "utf8")) as Golden;
const { batch, width } = golden;

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const lossOf = ({ kind, scale, margin, distance, widths }: Case): VectorLoss => {
  const options = {
    ...(scale === undefined ? {} : { scale }),
    ...(margin === undefined ? {} : { margin }),
    ...(distance === undefined ? {} : { distance }),
  };
  const loss = made[kind](options);
  return widths === undefined ? loss : matryoshka(loss, widths);
};

/** The golden's vectors, [batch, texts, width]. */
const vectorsOf = (texts: number): Float32Array =>
  Float32Array.from({ length: batch * texts * width }, (_, at) => {
    const [b, g, c] = [Math.floor(at / (texts * width)), Math.floor(at / width) % texts, at % width];
    const i = (g * batch + b) * width + c;
    return Math.sin(0.37 * i + 0.011 * i * i) + 0.2;
  });

interface Given {
  readonly rows: number;
  readonly vectors: Float32Array;
  readonly present: readonly number[];
  readonly labels?: readonly number[];
}

/** The mean loss, and its gradient by the vectors. */
const measured = async (given: Case, { rows, vectors, present, labels = [] }: Given) => {
  const loss = lossOf(given);
  const { texts } = given;
  const types = loss.inputs({ batch: rows, texts });
  const program = trace(
    {
      vectors: { dtype: "float32", shape: [rows, texts, width] },
      present: { dtype: "float32", shape: [rows, texts] },
      ...types,
    },
    ({ vectors: v, ...rest }) => {
      const value = meanLoss(loss.totals(v!, rest));
      return { loss: value, gradient: grad(value, v!) };
    },
  );
  const feeds: Record<string, Tensor> = {
    vectors: tensor("float32", [rows, texts, width], vectors),
    present: tensorOf("float32", [rows, texts], present),
  };
  for (const [name, { dtype }] of Object.entries(types)) feeds[name] = tensorOf(dtype, [rows], labels);
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return { loss: Number(out.loss!.data[0]), gradient: Float32Array.from(out.gradient!.data as Float32Array) };
};

const full = (given: Case): Given => ({
  rows: batch,
  vectors: vectorsOf(given.texts),
  present: Array.from({ length: batch * given.texts }, () => 1),
  ...(given.labels === undefined ? {} : { labels: given.labels }),
});

const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0);

describe.each(Object.entries(golden.cases))("%s", (_, given) => {
  const { texts } = given;

  test("is as sentence-transformers has it, with its gradient", async () => {
    const found = await measured(given, full(given));
    expect(Math.abs(found.loss - given.loss)).toBeLessThan(1e-5 * Math.max(1, given.loss));
    const expected = Array.from(found.gradient, (__, at) => {
      const [b, g, c] = [Math.floor(at / (texts * width)), Math.floor(at / width) % texts, at % width];
      return given.gradients[g]![b * width + c]!;
    });
    expect(farthest(found.gradient, expected)).toBeLessThan(1e-5);
  });

  test("rows that stand for no text change nothing, and get no gradient", async () => {
    const { vectors, present, labels = [] } = full(given);
    const more = texts * width;
    const found = await measured(given, {
      rows: batch + 2,
      vectors: Float32Array.from([...vectors, ...vectors.subarray(7, 7 + 2 * more)]),
      present: [...present, ...Array.from({ length: 2 * texts }, () => 0)],
      labels: [...labels, 1, 0],
    });
    expect(Math.abs(found.loss - given.loss)).toBeLessThan(1e-5 * Math.max(1, given.loss));
    expect(farthest(found.gradient.subarray(batch * more), new Float32Array(2 * more))).toBe(0);
  });
});
