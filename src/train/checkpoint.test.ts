import { describe, expect, test } from "vitest";
import { tensorOf } from "../ir/tensor.ts";
import type { Json } from "../models/model.ts";
import { CheckpointError } from "../util/errors.ts";
import { type CheckpointStore, checkpointsIn } from "./checkpoint.ts";

/** A store of one checkpoint, in memory. */
const memory = (): CheckpointStore & { meta: Json } => {
  let held: { step: number; files: ReadonlyMap<string, Uint8Array> } | undefined;
  const store = {
    meta: null as Json,
    save: async (step: number, files: Readonly<Record<string, readonly Uint8Array[]>>, meta: Json) => {
      const joined = Object.entries(files).map(([name, chunks]): [string, Uint8Array] => [
        name,
        new Uint8Array(Buffer.concat(chunks)),
      ]);
      held = { step, files: new Map(joined) };
      store.meta = meta;
    },
    load: async () => ({ ...held!, meta: store.meta }),
  };
  return store;
};

const state = new Map([["params.w", tensorOf("float32", [2], [1, 2])]]);
const progress = { step: 3 };
const run = { seed: 1, data: { train: "9 tokens", validation: "2 tokens" }, train: { freeze: ["a"] } };

const saved = async (): Promise<ReturnType<typeof memory>> => {
  const store = memory();
  await checkpointsIn(store, run).save({ step: 3, state, meta: progress });
  return store;
};

describe("a run's checkpoints", () => {
  test("come back as they were saved", async () => {
    expect(await checkpointsIn(await saved(), run).load()).toEqual({ step: 3, state, meta: progress });
  });

  test("what several ranks wrote is one, and of files without what is wanted nothing is held", async () => {
    const stores = [memory(), memory()];
    const parts = ["params.a", "params.b"].map((name, i) => new Map([[name, tensorOf("float32", [1], [i])]]));
    const files = new Map<string, Uint8Array>();
    for (const [rank, store] of stores.entries()) {
      await checkpointsIn(store, run, rank).save({ step: 3, state: parts[rank]!, meta: progress });
      for (const [name, bytes] of (await store.load()).files) files.set(name, bytes);
    }
    const load: CheckpointStore["load"] = async (kept = () => true) => ({
      ...{ step: 3, meta: stores[0]!.meta },
      files: new Map([...files].filter(([name, bytes]) => kept(name, bytes))),
    });
    const both = checkpointsIn({ ...stores[0]!, load }, run);
    expect((await both.load()).state).toEqual(new Map([...parts[0]!, ...parts[1]!]));
    expect((await both.load((name) => name === "params.b")).state).toEqual(parts[1]);
  });

  test.each([
    [{ ...run, seed: 2 }, /^field "seed": was 1 in the checkpoint and is 2$/],
    [{ ...run, data: { ...run.data, train: "8" } }, /^field "data.train": was "9 tokens" .* is "8"$/],
    [{ ...run, data: null }, /^field "data": was .* and is null$/],
    [{ ...run, more: 1 }, /^field "more": was null .* is 1$/],
    [{ ...run, train: { freeze: [] } }, /^field "train.freeze.0": was "a" .* is null$/],
    [
      { ...run, seed: 2, data: { train: "8", validation: "1" } },
      /^field "seed": was 1 .* is 2; "data.train" was "9 tokens" and is "8"; "data.validation" was/,
    ],
  ])("are refused to another, naming what differs: %j", async (other, message) => {
    const load = checkpointsIn(await saved(), other as Json).load();
    await expect(load).rejects.toThrow(CheckpointError);
    await expect(load).rejects.toThrow(message);
  });

  test("differences beyond the first five are counted", async () => {
    const store = memory();
    const wide = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f${i}`, i]));
    await checkpointsIn(store, wide).save({ step: 3, state, meta: progress });
    await expect(checkpointsIn(store, {}).load()).rejects.toThrow(/"f4" was 4 and is null; and 3 more$/);
  });

  test.each([[null], [undefined], ["x"], [[]], [{}], [{ progress }], [{ progress: 3, config: run }]])(
    "that say %j of their run are refused",
    async (meta) => {
      const store = await saved();
      store.meta = meta as Json;
      const load = checkpointsIn(store, run).load();
      await expect(load).rejects.toThrow(CheckpointError);
      await expect(load).rejects.toThrow(/field "meta": says nothing of the run/);
    },
  );
});
