/** Training on ranks that each run the loop: to the bit what replicas do, on any number of ranks at a resume. */
import { beforeAll, describe, expect, test } from "vitest";
import { batches, evalBatches } from "../src/data/index.ts";
import {
  dataParallel,
  gathered,
  type LocalOptions,
  localSteps,
  requireAgreement,
  spmd,
} from "../src/distribute/index.ts";
import type { Engine } from "../src/engine/engine.ts";
import { type Tensor, tensor } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize, type Weight } from "../src/nn/param.ts";
import { threadTeam } from "../src/node/ranks/threadTeam.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { optimizers } from "../src/optim/index.ts";
import type { BatchSource } from "../src/tasks/task.ts";
import type { Snapshot } from "../src/train/checkpoint.ts";
import {
  type MetricsRow,
  type TrainHooks,
  type TrainOptions,
  type TrainResult,
  train,
} from "../src/train/loop.ts";
import type { Collective } from "../src/train/ranks/collective.ts";
import { flatten } from "../src/util/tree.ts";
import { localRanks } from "./localRanks.ts";
import { together } from "./together.ts";

const [B, T] = [4, 8];
const tokens = Uint32Array.from({ length: 600 }, (_, i) => (i * i + (i >> 2)) % 17);
const feeds = ({ inputIds, labels }: { inputIds: Int32Array; labels: Int32Array }) => ({
  inputIds: tensor("int32", [B, T], inputIds),
  labels: tensor("int32", [B * T], labels),
});
const feedsOf = (batch: number, index: number) => {
  const { inputIds, labels } = batches({ tokens, batch, context: T, seed: 2 })(index);
  return {
    inputIds: tensor("int32", [batch, T], inputIds),
    labels: tensor("int32", [batch * T], labels),
  };
};
const source: BatchSource = (index) => feedsOf(B, index);
const validation = evalBatches({ tokens: tokens.subarray(0, 200), batch: B, context: T }).map(feeds);

const fresh = (): Model => {
  const config = gpt2Config({ vocab_size: 17, n_positions: T, n_embd: 16, n_layer: 1, n_head: 2 });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 1), history: [] };
};

type Options = TrainOptions & TrainHooks;
const options = (more: Partial<Options> = {}): Options => ({
  ...{ batch: B, context: T, steps: 6, schedule: () => 3e-3, seed: 1, clipNorm: 1 },
  optimizer: optimizers.adamw({ weightDecay: 0.1 }),
  evalEvery: 3,
  validation,
  ...more,
});

interface Ended extends TrainResult {
  readonly rows: readonly MetricsRow[];
}

const run = async (given: Options): Promise<Ended> => {
  const rows: MetricsRow[] = [];
  return { ...(await train(engine, fresh(), source, { ...given, onRow: (row) => rows.push(row) })), rows };
};

/** The same training on each rank. */
const among = (ranks: readonly Collective[], given: (rank: number) => Options): Promise<readonly Ended[]> =>
  Promise.all(ranks.map((collective) => run({ ...spmd(collective), ...given(collective.rank) })));

const onRanks = (size: number, given: (rank: number) => Options): Promise<readonly Ended[]> =>
  among(localRanks(size), given);

const numbers = ({ model }: TrainResult): Map<string, number[]> =>
  new Map(
    Array.from(flatten<Weight>(model.weights), ([k, w]) => [
      k,
      Array.from((w as Tensor).data as Float32Array),
    ]),
  );

const losses = ({ rows }: Ended): number[] => rows.flatMap(({ loss }) => (loss === undefined ? [] : [loss]));

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

test("ranks and replicas take the same steps to the bit, and those of one process but for rounding", async () => {
  const one = await run(options());
  const replicas = await run(options({ stepper: dataParallel(threadTeam(2)) }));
  const ranks = await onRanks(2, () => options());
  for (const rank of ranks) {
    expect(rank.rows).toEqual(replicas.rows);
    expect(numbers(rank)).toEqual(numbers(replicas));
    for (const [i, loss] of losses(rank).entries()) expect(loss / losses(one)[i]!).toBeCloseTo(1, 5);
  }
});

test("ranks of a machine that share memory take the steps of those that copy", async () => {
  // Lion's moment is not updated where it lies; a gradient that is not finite leaves an update out.
  const optimizer = optimizers.lion({});
  const schedule = (step: number): number => (step === 1 ? 1e30 : 3e-4);
  const { validation: _, ...rest } = options({ optimizer, schedule, onNan: "skip", steps: 4 });
  const given = () => rest;
  const [copied] = await onRanks(4, given);
  for (const rank of await among(localRanks(4, 2), given)) {
    expect(rank.rows).toEqual(copied!.rows);
    expect(numbers(rank)).toEqual(numbers(copied!));
  }
});

test("four ranks, then three, then four go on from what was saved, on the same data", async () => {
  const saved: Snapshot[] = [];
  const checkpoints = together(saved);
  const { validation: _, ...rest } = options({ optimizer: optimizers.muon(), batch: 12 });
  const rowsOf = async (how: Partial<Options>): Promise<readonly MetricsRow[]> => {
    const rows: MetricsRow[] = [];
    await train(engine, fresh(), (index) => feedsOf(12, index), {
      ...{ ...rest, ...how },
      onRow: (row) => rows.push(row),
    });
    return rows.filter(({ loss }) => loss !== undefined);
  };
  const straight = await rowsOf({ steps: 6 });
  const parts: MetricsRow[] = [];
  for (const [k, size] of [4, 3, 4].entries()) {
    const ranks = await Promise.all(
      localRanks(size).map((collective) =>
        rowsOf({
          ...spmd(collective),
          ...{ steps: 2 * (k + 1), resume: k > 0 },
          checkpoints,
        }),
      ),
    );
    for (const rows of ranks) expect(rows).toEqual(ranks[0]);
    parts.push(...ranks[0]!);
  }
  expect(parts.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6]);
  for (const [i, { loss }] of parts.entries()) expect(loss! / straight[i]!.loss!).toBeCloseTo(1, 4);
  const sizes = saved.map(({ state }) => new Map(Array.from(state, ([name, t]) => [name, t.data.length])));
  expect(sizes[1]).toEqual(sizes[0]);
});

test("in fewer bits on the way ranks stay the same to the bit, and near what 32 bits come to", async () => {
  const { validation: _, ...rest } = options({ steps: 4 });
  const [exact] = await onRanks(2, () => rest);
  for (const wire of ["float16", "int8"] as const) {
    const [first, second] = await Promise.all(
      localRanks(2).map((collective) => run({ ...spmd(collective, { wire }), ...rest })),
    );
    expect(numbers(second!)).toEqual(numbers(first!));
    const far = losses(first!).map((loss, i) => Math.abs(loss - losses(exact!)[i]!));
    expect(Math.max(...far)).toBeLessThan(wire === "int8" ? 5e-3 : 1e-4);
    expect(Math.max(...far)).toBeGreaterThan(0);
  }
});

test("ranks that keep the gradients of their shard alone take the same steps, micro-batches too", async () => {
  const { validation: _, ...rest } = options({ steps: 3, accumulate: 2, clipValue: 0.05 });
  for (const size of [2, 3]) {
    const given = { ...rest, batch: size * 2 };
    const wide: BatchSource = (index) => feedsOf(size * 2, index);
    const on = (zero: 1 | 2) =>
      Promise.all(
        localRanks(size).map((collective) => {
          const rows: MetricsRow[] = [];
          const how = { ...given, ...spmd(collective, { zero }), onRow: (row: MetricsRow) => rows.push(row) };
          return train(engine, fresh(), wide, how).then((ended) => ({ ...ended, rows }));
        }),
      );
    const [plain] = await on(1);
    for (const rank of await on(2)) {
      for (const [i, loss] of losses(rank).entries()) expect(loss / losses(plain!)[i]!).toBeCloseTo(1, 6);
      expect(losses(rank)).toHaveLength(3);
    }
  }
});

/** The share of a rank in each batch. */
const shareOf =
  (rank: number): BatchSource =>
  async (index) => {
    const { inputIds, labels } = (await source(index)) as Record<"inputIds" | "labels", Tensor>;
    const [rows, half] = [B / 2, rank * (B / 2) * T];
    const cut = ({ data }: Tensor) => (data as Int32Array).slice(half, half + rows * T);
    return {
      inputIds: tensor("int32", [rows, T], cut(inputIds)),
      labels: tensor("int32", [rows * T], cut(labels)),
    };
  };

describe("local steps", () => {
  const { validation: _, ...rest } = options({ steps: 6 });
  const locally = (how: Partial<LocalOptions>, more: (rank: number) => Partial<Options> = () => ({})) =>
    Promise.all(
      localRanks(2).map((collective) => {
        const local = localSteps(collective, { every: 2, steps: 6, ...how });
        return run({ ...rest, ...local, ...more(collective.rank) });
      }),
    );

  test("one meeting at the end, of rate 1 without momentum, is the mean of what each comes to alone", async () => {
    const how = { every: 4, steps: 4, outerLr: 1, outerMomentum: 0 };
    const ranks = await locally(how, () => ({ steps: 4 }));
    const apart = await Promise.all(
      [0, 1].map((rank) => train(engine, fresh(), shareOf(rank), { ...rest, steps: 4, batch: B / 2 })),
    );
    const [a, b] = apart.map(numbers);
    for (const rank of ranks) {
      for (const [path, found] of numbers(rank)) {
        const mean = a!.get(path)!.map((value, i) => (value + b!.get(path)![i]!) / 2);
        for (const [i, value] of found.entries()) expect(value).toBeCloseTo(mean[i]!, 6);
      }
    }
  });

  test("a run that is resumed ends with the bits of one never stopped; another number of ranks goes on", async () => {
    const saved: Snapshot[] = [];
    const checkpoints = { ...together(saved), load: async () => saved[0]! };
    const how = { wire: "int8" } as const;
    const [straight, other] = await locally(how, () => ({ checkpoints, checkpointEvery: 4 }));
    expect(numbers(other!)).toEqual(numbers(straight!));
    const resumed = await locally(how, () => ({ checkpoints, resume: true }));
    for (const rank of resumed) expect(numbers(rank)).toEqual(numbers(straight!));
    const alone = localSteps(localRanks(1)[0]!, { every: 2, steps: 6 });
    const one = await run({ ...rest, ...alone, checkpoints, resume: true });
    expect(losses(one)).toHaveLength(2);
    expect(losses(one).every(Number.isFinite)).toBe(true);
  });
});

test("a rank that is asked to leave takes all along, after the same step", async () => {
  const controller = new AbortController();
  const ranks = localRanks(2).map((collective) => {
    const { stepper, signal } = spmd(collective, collective.rank === 1 ? { signal: controller.signal } : {});
    const onRow = ({ step }: MetricsRow): void => {
      if (step === 2) controller.abort();
    };
    return train(engine, fresh(), source, { ...options(), stepper, signal, onRow });
  });
  for (const { ended, steps } of await Promise.all(ranks)) {
    expect(ended).toBe("interrupted");
    expect(steps).toBe(3);
  }
});

test("what ranks hold apart comes together on the first, each tensor once", async () => {
  const held = [["a"], ["a", "b"], ["c"]].map(
    (names, rank) =>
      new Map(names.map((name) => [name, tensor("int32", [2], Int32Array.of(rank, name.charCodeAt(0)))])),
  );
  const all = await Promise.all(localRanks(3).map((c) => gathered(c, held[c.rank]!)));
  const [a, b, c] = [held[0]!.get("a"), held[1]!.get("b"), held[2]!.get("c")];
  expect([...all[0]!]).toEqual(Object.entries({ a, b, c }));
  expect(all.slice(1)).toEqual(held.slice(1));
});

test("a batch that does not divide is refused", async () => {
  await expect(spmd(localRanks(3)[0]!).stepper(engine, fresh(), options() as never)).rejects.toThrow(
    /"train.batch": 4 does not divide among 3 ranks/,
  );
});

test("ranks that differ are refused on all of them, with the difference", async () => {
  const said = [
    { version: "1", options: { lr: 1, name: "ä" } },
    { version: "1", options: { lr: 2, name: "äöü, longer" } },
  ];
  const [ok] = await Promise.allSettled(localRanks(2).map((c) => requireAgreement(c, said[0]!)));
  expect(ok!.status).toBe("fulfilled");
  const each = await Promise.allSettled(localRanks(2).map((c) => requireAgreement(c, said[c.rank]!)));
  for (const result of each) {
    expect(result.status === "rejected" && String(result.reason)).toContain(
      `field "options.lr": is 1 on rank 0 and 2 on rank 1; "options.name" is "ä" and "äöü, longer"`,
    );
  }
});
