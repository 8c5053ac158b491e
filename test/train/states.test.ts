/** States that training refuses: of other runs, models and optimizers; and what frozen weights need none of. */
import { describe, expect, test } from "vitest";
import { dataParallel } from "../../src/distribute/index.ts";
import { tensor } from "../../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../../src/models/decoders/gpt2.ts";
import type { Model } from "../../src/models/model.ts";
import { initialize } from "../../src/nn/param.ts";
import { threadTeam } from "../../src/node/ranks/threadTeam.ts";
import { optimizers } from "../../src/optim/index.ts";
import type { Checkpoints, Snapshot } from "../../src/train/checkpoint.ts";
import { type TrainHooks, type TrainOptions, train } from "../../src/train/loop.ts";
import { heldOutLoss } from "../../src/train/validate.ts";
import { CheckpointError } from "../../src/util/errors.ts";
import { alphabet, engine, fresh, memory, numbers, options, source, T, validation } from "./quickFox.ts";

describe("frozen weights", () => {
  const frozen = (path: string): boolean => path.endsWith(".bias") || path.startsWith("transformer.h.0.");
  const given = options({ validation, evalEvery: 4, frozen });

  test.each([
    ["in one graph", {}],
    ["in three", { accumulate: 2 }],
  ])("stay as they are to the last bit, %s, and the others learn", async (_, more) => {
    const before = numbers(fresh());
    const { model, valLoss } = await train(engine, fresh(), source, { ...given, ...more });
    for (const [path, values] of numbers(model)) {
      if (frozen(path)) expect(values, path).toEqual(before.get(path));
      else expect(values, path).not.toEqual(before.get(path));
    }
    const { loss } = await heldOutLoss(engine, model, validation);
    expect(loss).toBeCloseTo(valLoss!, 5);
  });

  test("training goes on from a checkpoint, which does not hold them", async () => {
    const { checkpoints, saved } = memory();
    const straight = await train(engine, fresh(), source, { ...given, checkpoints, checkpointEvery: 5 });
    const from: Checkpoints = { save: async () => {}, load: async () => saved[0]! };
    const rest = await train(engine, fresh(), source, { ...given, checkpoints: from, resume: true });
    expect(numbers(rest.model)).toEqual(numbers(straight.model));
    expect([...saved[0]!.state.keys()].filter((name) => name.includes("bias"))).toEqual([]);
  });

  test("freezing everything is refused", async () => {
    await expect(train(engine, fresh(), source, options({ frozen: () => true }))).rejects.toThrow(
      /train.freeze.*nothing to train/,
    );
  });
});

describe("a state of something else", () => {
  const other = (vocab: number, layers = 2): Model => {
    const shape = { vocab_size: vocab, n_positions: T, n_embd: 32, n_layer: layers, n_head: 2 };
    const config = gpt2Config(shape);
    return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, 2), history: [] };
  };
  /** What a run of `model` saves after its first step. */
  const savedBy = async (model: Model, more: Partial<TrainOptions & TrainHooks> = {}): Promise<Snapshot> => {
    const { checkpoints, saved } = memory();
    await train(engine, model, source, options({ steps: 1, checkpoints, ...more }));
    return saved[0]!;
  };
  const resumed = (snapshot: Snapshot, more: Partial<TrainOptions & TrainHooks> = {}) => {
    const checkpoints: Checkpoints = { save: async () => {}, load: async () => snapshot };
    return train(engine, fresh(), source, options({ checkpoints, resume: true, ...more }));
  };
  const places: [string, Partial<TrainOptions & TrainHooks>][] = [
    ["in one graph", {}],
    ["in three", { accumulate: 2 }],
    ["on two replicas", { stepper: dataParallel(threadTeam(2)) }],
  ];

  describe.each(places)("%s", (_, more) => {
    test.each([
      [
        "more tokens",
        () => other(alphabet.length + 9),
        /wte.weight": is float32\[37, 32\] .* float32\[28, 32\]/,
      ],
      ["a layer fewer", () => other(alphabet.length, 1), /h.1.*is missing from the state/],
      ["a layer more", () => other(alphabet.length, 3), /h.2.*not in what trains/],
    ])("is refused by the tensor's name: %s", async (_name, model, message) => {
      const refused = resumed(await savedBy(model()), more);
      await expect(refused).rejects.toThrow(CheckpointError);
      await expect(refused).rejects.toThrow(message);
    });
  });

  test("is refused where it is another optimizer's, or another's best", async () => {
    const lion = await savedBy(fresh(), { optimizer: optimizers.lion({}) });
    await expect(resumed(lion)).rejects.toThrow(/opt\..*is (missing|in the state)/);
    const own = await savedBy(fresh());
    const best = new Map([["lm_head.weight", tensor("float32", [1], new Float32Array(1))]]);
    await expect(resumed({ ...own, best })).rejects.toThrow(CheckpointError);
  });

  test.each([
    [null, /field "step": is undefined/],
    [{}, /field "step": is undefined/],
    [{ step: 2, bestStep: 0, bestLoss: null, sinceBest: 0, skips: 0 }, /field "step": is 2 .* step 1$/],
    [{ step: 1, bestStep: -1, bestLoss: null, sinceBest: 0, skips: 0 }, /field "bestStep": is -1/],
    [{ step: 1, bestStep: 0, bestLoss: "1", sinceBest: 0, skips: 0 }, /field "bestLoss": is "1"/],
    [{ step: 1, bestStep: 0, bestLoss: null, sinceBest: [], skips: 0 }, /field "sinceBest": is \[\]/],
  ])("is refused where it says of its progress: %j", async (meta, message) => {
    const own = await savedBy(fresh());
    const refused = resumed({ ...own, meta: meta as never });
    await expect(refused).rejects.toThrow(CheckpointError);
    await expect(refused).rejects.toThrow(message);
  });
});
