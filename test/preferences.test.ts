/** Losses of preferences and their gradients, against TRL's own trainers. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/index.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { trace } from "../src/ir/program.ts";
import { tensor } from "../src/ir/tensor.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { matmul } from "../src/ops/linalg.ts";
import { reshape } from "../src/ops/structure.ts";
import { type Places, placesOf, rowFeeds } from "../src/tasks/instruct/batch.ts";
import type { Objective } from "../src/tasks/objective.ts";
import { dpo, kto } from "../src/tasks/preference/objectives.ts";
import { typesOf } from "../src/tasks/scores.ts";

interface Case {
  ids: number[][];
  mask: number[][];
  reference: number[];
  hidden: number[][][];
  head: number[][];
  loss: number;
  hiddenGrad: number[][][];
  headGrad: number[][];
  beta: number;
  desirable?: number[];
  weights?: [number, number];
}
const golden = JSON.parse(readFileSync(new URL("golden/preferences.json", import.meta.url), "utf8")) as {
  dpo: Case[];
  kto: Case[];
};

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** TRL's batch is all first rows, then all second ones; ours has the two of an example side by side. */
const paired = <T>(all: readonly T[]): T[] =>
  all.slice(0, all.length / 2).flatMap((one, i) => [one, all[i + all.length / 2]!]);

const labelsOf = ({ ids, mask }: Case) =>
  paired(ids).map((row, b) => {
    const learnt = paired(mask)[b]!;
    const labels = Int32Array.from(row.slice(1), (id, t) => (learnt[t + 1] === 1 ? id : -100));
    return { ids: Int32Array.from(row.slice(0, -1)), labels };
  });

const floats = (shape: number[], numbers: number[]) => tensor("float32", shape, Float32Array.from(numbers));

const run = async (given: Case, make: (places: Places) => Objective, more: Feeds = {}) => {
  const rows = labelsOf(given);
  const places = placesOf(rows);
  const [b, t, c, v] = [rows.length, rows[0]!.ids.length, given.head[0]!.length, given.head.length];
  const hidden = floats(
    [b, t, c],
    paired(given.hidden).flatMap((row) => row.slice(0, -1).flat()),
  );
  const head = floats([v, c], given.head.flat());
  const options = { model: { config: {} }, tokenizer: { specials: {}, eos: 0 } };
  const batch: Feeds = {
    ...rowFeeds(rows, { width: t, places }, options as never),
    counted: floats(
      [b],
      rows.map(() => 1),
    ),
    reference: floats([b], paired(given.reference)),
    ...more,
  };
  const program = trace(
    { params: typesOf([{ hidden, head }]), batch: typesOf([batch]) },
    ({ params, batch: fed }) => {
      const logits = reshape(matmul(reshape(params.hidden!, [b * t, c]), params.head!, { transB: true }), [
        b,
        t,
        v,
      ]);
      const outputs = { hidden: params.hidden!, head: params.head!, logits, present: [] };
      const loss = meanLoss(make(places).totals(outputs, fed));
      const [hiddenGrad, headGrad] = grad(loss, [params.hidden!, params.head!]);
      return { loss, hiddenGrad: hiddenGrad!, headGrad: headGrad! };
    },
  );
  const session = await compile(engine, program);
  const fed = Object.entries({ "params.hidden": hidden, "params.head": head, ...named(batch) });
  const out = await session.run(Object.fromEntries(fed.filter(([name]) => name in session.inputTypes)));
  await session.dispose();
  const zero = Array.from({ length: c }, () => 0);
  const wanted = paired(given.hiddenGrad).flatMap((row) => row.slice(0, -1).flat());
  // Nothing is foretold by the last token.
  expect(given.hiddenGrad.map((row) => row.at(-1))).toEqual(given.hiddenGrad.map(() => zero));
  expect(out.loss!.data[0]).toBeCloseTo(given.loss, 5);
  close(out.hiddenGrad!.data, wanted);
  close(out.headGrad!.data, given.headGrad.flat());
};

const named = (batch: Feeds) =>
  Object.fromEntries(Object.entries(batch).map(([name, t]) => [`batch.${name}`, t]));

const close = (found: ArrayLike<unknown>, wanted: readonly number[]) => {
  expect(found.length).toBe(wanted.length);
  const worst = wanted.reduce((most, x, i) => Math.max(most, Math.abs(x - Number(found[i]))), 0);
  expect(worst).toBeLessThan(2e-6);
  expect(wanted.some((x) => Math.abs(x) > 1e-3)).toBe(true);
};

describe("as TRL's trainers", () => {
  test.each(golden.dpo)("DPO, beta $beta", (given) =>
    run(given, (places) => dpo(places, { beta: given.beta })),
  );

  test.each(golden.kto)("KTO, beta $beta, weights $weights", (given) => {
    const [desirableWeight, undesirableWeight] = given.weights!;
    const desirable = given.desirable!.flatMap((good) => [good, good]);
    const options = { beta: given.beta, desirableWeight, undesirableWeight };
    return run(given, (places) => kto(places, options), { desirable: floats([desirable.length], desirable) });
  });
});
