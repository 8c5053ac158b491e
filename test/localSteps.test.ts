/** Meetings that overlap with steps: what they come to, whatever the time that messages take. */
import { beforeAll, describe, expect, test } from "vitest";
import { batches, evalBatches } from "../src/data/index.ts";
import { type LocalOptions, localSteps } from "../src/distribute/index.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { type Tensor, tensor } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize, tensorsOf } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { optimizers } from "../src/optim/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import type { Snapshot } from "../src/train/checkpoint.ts";
import { type MetricsRow, type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import type { Collective } from "../src/train/ranks/collective.ts";
import { seedTensor, stepper } from "../src/train/stepper.ts";
import { rng } from "../src/util/rng.ts";
import { localRanks } from "./localRanks.ts";
import { together } from "./together.ts";

const [B, T] = [4, 8];
const tokens = Uint32Array.from({ length: 600 }, (_, i) => (i * i + (i >> 2)) % 17);
const feedsOf = ({ inputIds, labels }: { inputIds: Int32Array; labels: Int32Array }): Feeds => ({
  inputIds: tensor("int32", [inputIds.length / T, T], inputIds),
  labels: tensor("int32", [labels.length], labels),
});
const source = (index: number): Feeds => feedsOf(batches({ tokens, batch: B, context: T, seed: 2 })(index));
const validation = evalBatches({ tokens: tokens.subarray(0, 200), batch: B, context: T }).map(feedsOf);

const fresh = (): Model => {
  const config = gpt2Config({ vocab_size: 17, n_positions: T, n_embd: 16, n_layer: 1, n_head: 2 });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 1), history: [] };
};

const options = { batch: B, context: T, schedule: () => 3e-3, seed: 1, clipNorm: 1 };
const optimizer = optimizers.adamw({ weightDecay: 0.1 });

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

interface Ended {
  readonly rows: readonly MetricsRow[];
  readonly weights: ReadonlyMap<string, readonly number[]>;
  readonly ended: string;
  readonly steps: number;
}

const numbers = (weights: Iterable<readonly [string, Tensor]>): Map<string, number[]> =>
  new Map(Array.from(weights, ([path, { data }]) => [path, Array.from(data as Float32Array)]));

type More = Partial<TrainOptions & TrainHooks>;
const [EVERY, STEPS] = [3, 10];

/** Ten steps on each rank, which meet after each third. */
const among = (
  ranks: readonly Collective[],
  how: Partial<LocalOptions>,
  more: (rank: number) => More = () => ({}),
): Promise<readonly Ended[]> =>
  Promise.all(
    ranks.map(async (collective) => {
      const rows: MetricsRow[] = [];
      const local = localSteps(collective, { every: EVERY, steps: STEPS, ...how });
      const { model, ended, steps } = await train(engine, fresh(), source, {
        ...{ ...options, steps: STEPS, optimizer, ...local, onRow: (row: MetricsRow) => rows.push(row) },
        ...more(collective.rank),
      });
      return { rows, weights: numbers(tensorsOf(model.weights)), ended, steps };
    }),
  );

/** A rank whose messages take as many turns of the event loop as chance wants. */
const dawdling = (collective: Collective, seed: number): Collective => {
  const chance = rng(seed, "dawdling", collective.rank);
  const dawdle = async () => {
    for (let turns = chance.int(30); turns > 0; turns--) await new Promise((turn) => setImmediate(turn));
  };
  return {
    ...collective,
    async exchange(parcels, room) {
      await dawdle();
      const taken = await collective.exchange(parcels, room);
      await dawdle();
      return taken;
    },
  };
};

/** Small differences stay small: Adam would make steps of the rounding in gradients that are 0. */
const sgd = { optimizer: optimizers.sgd(), schedule: () => 0.3 };

/** By the formula, in float64: two ranks' weights at the end. */
const byFormula = async (overlap: number): Promise<Map<string, number[]>> => {
  const [lr, keeps] = [0.8, 0.5];
  const half = { ...options, ...sgd, batch: B / 2, objective: languageModelling };
  const ranks = await Promise.all([0, 1].map(() => stepper(engine, fresh(), half)));
  const values = (r: number): number[] => [...numbers(ranks[r]!.weights()).values()].flat();
  const put = (r: number, row: readonly number[]): void => {
    let at = 0;
    for (const { data } of ranks[r]!.weights().values()) {
      (data as Float32Array).set(row.slice(at, at + data.length));
      at += data.length;
    }
  };
  let where = values(0);
  let speed = where.map(() => 0);
  let from: number[][] | undefined;
  const follow = (): void => {
    const since = from;
    if (since !== undefined)
      for (const r of [0, 1])
        put(
          r,
          values(r).map((x, i) => x + where[i]! - since[r]![i]!),
        );
    from = undefined;
  };
  for (let step = 1; step <= STEPS; step++) {
    const { inputIds, labels } = source(step - 1) as Record<"inputIds" | "labels", Tensor>;
    for (const [r, rank] of ranks.entries()) {
      const part = ({ data }: Tensor) =>
        Int32Array.from(data.slice((r * B * T) / 2, ((r + 1) * B * T) / 2) as never);
      const own = feedsOf({ inputIds: part(inputIds), labels: part(labels) });
      await rank.run([{ ...own, seed: seedTensor(1, step - 1, 0) }], 0.3, step);
    }
    const last = step === STEPS;
    if (last || step % EVERY === overlap % EVERY) follow();
    if (step % EVERY > 0 && !last) continue;
    from = [values(0), values(1)];
    const far = where.map((x, i) => x - (from![0]![i]! + from![1]![i]!) / 2);
    speed = speed.map((v, i) => keeps * v + far[i]!);
    where = where.map((x, i) => x - lr * (far[i]! + keeps * speed[i]!));
  }
  put(0, where);
  return numbers(ranks[0]!.weights());
};

describe.each([1, 2, 3])("an overlap of %i of three steps", (overlap) => {
  test("comes to what the formula comes to, the same on all ranks", async () => {
    const [first, second] = await among(localRanks(2), { overlap }, () => sgd);
    expect(second!.weights).toEqual(first!.weights);
    for (const [path, row] of await byFormula(overlap)) {
      for (const [i, value] of row.entries())
        expect(first!.weights.get(path)![i], path).toBeCloseTo(value, 5);
    }
  });

  test("has the same bits however long messages take, measured or not", async () => {
    const how = { overlap, wire: "int8" } as const;
    const straight = await among(localRanks(2), how);
    for (const seed of [1, 2, 3]) {
      const slow = localRanks(2).map((collective) => dawdling(collective, seed));
      // What is measured is the best of several, so that other weights come out; all steps are the same.
      const measured = seed === 3 ? { validation, evalEvery: EVERY } : {};
      for (const [r, { rows, weights }] of (await among(slow, how, () => measured)).entries()) {
        expect(rows.filter(({ loss }) => loss !== undefined)).toEqual(straight[r]!.rows);
        if (seed < 3) expect(weights).toEqual(straight[r]!.weights);
      }
    }
  });

  test("goes on to the bit from a checkpoint of any meeting; other numbers of ranks go on, too", async () => {
    const saved: Snapshot[] = [];
    const how = { overlap, wire: "int8" } as const;
    const straight = await among(localRanks(2), how, () => ({
      checkpoints: together(saved),
      checkpointEvery: EVERY,
    }));
    expect(saved.map(({ step }) => step)).toEqual([3, 6, 9, 10]);
    for (const snapshot of saved) {
      const checkpoints = { ...together([]), load: async () => snapshot };
      const resumed = await among(localRanks(2), how, () => ({ checkpoints, resume: true }));
      for (const [r, { weights }] of resumed.entries()) expect(weights).toEqual(straight[r]!.weights);
      for (const count of [1, 4]) {
        const [other] = await among(localRanks(count), how, () => ({ checkpoints, resume: true }));
        expect(other!.steps).toBe(STEPS);
        for (const row of other!.weights.values()) expect(row.every(Number.isFinite)).toBe(true);
      }
    }
  });

  test("a rank that is asked to leave takes all along, and they go on to the bit", async () => {
    const saved: Snapshot[] = [];
    const how = { overlap } as const;
    const straight = await among(localRanks(2), how);
    const controller = new AbortController();
    const asking = localRanks(2).map((collective) => dawdling(collective, 1));
    const left = await Promise.all(
      asking.map(async (collective) => {
        const asks = collective.rank === 1 ? { signal: controller.signal } : {};
        const onRow = ({ step }: MetricsRow): void => {
          if (step === 2) controller.abort();
        };
        const checkpoints = together(saved);
        const [ended] = await among([collective], { ...how, ...asks }, () => ({ onRow, checkpoints }));
        return ended!;
      }),
    );
    // It asks at the meeting after step 3, which all know of at the next.
    for (const { ended, steps } of left) expect([ended, steps]).toEqual(["interrupted", 6]);
    const resumed = await among(localRanks(2), how, () => ({ checkpoints: together(saved), resume: true }));
    for (const [r, { weights }] of resumed.entries()) expect(weights).toEqual(straight[r]!.weights);
  });
});
