import { describe, expect, it } from "vitest";
import { checkOptions } from "../recipes/config/check.ts";
import { defaults, type RunConfig, type RunOptions } from "../recipes/config/options.ts";
import { configHash, type OptionSources, parseSet, resolveOptions } from "../recipes/config/resolve.ts";
import { isKnown } from "../recipes/config/schema.ts";
import { ConfigError } from "../util/errors.ts";
import { cwd, write } from "./folder.fixture.ts";

const resolved = (sources: OptionSources = {}): Promise<RunOptions> => resolveOptions({ cwd, ...sources });

/** What `work` throws, which must be a ConfigError. */
const refusal = async (work: () => unknown): Promise<ConfigError> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

describe("where an option comes from", () => {
  it("defaults, then the file, then --set in turn, then flags", async () => {
    expect(await resolved()).toEqual(defaults);
    write(
      "anneal.config.yaml",
      "seed: 2\nthreads: 2\ntrain: { steps: 300, batch: 2 }\nmodel: { n_layer: 2 }\n",
    );
    const file = await resolved();
    expect(file).toEqual({
      ...defaults,
      seed: 2,
      threads: 2,
      train: { ...defaults.train, steps: 300, batch: 2 },
      model: { ...defaults.model, n_layer: 2 },
    });
    const sets = ["train.batch=3", "train.steps=310", "train.steps=320"];
    const set = await resolved({ sets });
    expect(set.train).toMatchObject({ steps: 320, batch: 3 });
    const flags: RunConfig = { seed: 9, train: { batch: 4 } };
    const all = await resolved({ sets, flags });
    expect(all).toMatchObject({ seed: 9, threads: 2, train: { steps: 320, batch: 4 } });
  });

  it("a list is replaced, not joined", async () => {
    write("anneal.config.json", '{"data": {"paths": ["a", "b"]}}');
    const { data } = await resolved({ flags: { data: { paths: ["c"] } } });
    expect(data).toEqual({ ...defaults.data, paths: ["c"] });
  });

  it("defaults give way to what was asked for: warm-up to few steps, the last rate to a low one", async () => {
    const { train } = await resolved({ flags: { train: { steps: 40, lrPeak: 1e-4 } } });
    expect(train).toMatchObject({ warmup: 10, lrMin: 1e-5 });
    const asked = () => resolved({ flags: { train: { steps: 40, warmup: 50 } } });
    expect((await refusal(asked)).details.field).toBe("train.warmup");
    const { train: file } = await resolved({ sets: ["train.warmup=40"], flags: { train: { steps: 40 } } });
    expect(file.warmup).toBe(40);
  });

  it.each([
    [
      "anneal.config.ts",
      "const seed: number = 7;\nexport default { seed, train: { steps: 300 } } as const;\n",
    ],
    ["anneal.config.mts", "export default { seed: 7 as number, train: { steps: 300 } };\n"],
    ["anneal.config.mjs", "export default { seed: 7, train: { steps: 300 } };\n"],
    ["anneal.config.json", '\ufeff{"$schema": "x", "seed": 7, "train": {"steps": 300}}'],
    ["anneal.config.yaml", "seed: 7\ntrain:\n  steps: 300\n"],
    ["anneal.config.yml", "$schema: x\nseed: 7\ntrain: {steps: 300}\n"],
  ])("%s is found and read", async (name, text) => {
    write(name, text);
    const wanted = { ...defaults, seed: 7, train: { ...defaults.train, steps: 300 } };
    expect(configHash(await resolved())).toBe(configHash(wanted));
  });

  it("two config files are refused, unless one is named", async () => {
    write("anneal.config.yaml", "seed: 7\n");
    write("anneal.config.json", '{"seed": 8}');
    expect((await refusal(resolved)).message).toContain("anneal.config.json, anneal.config.yaml");
    expect((await resolved({ config: "anneal.config.json" })).seed).toBe(8);
  });

  it.each(["", "# nothing\n", "null\n"])("a file with no content (%j) is refused", async (text) => {
    write("anneal.config.yaml", text);
    expect((await refusal(resolved)).message).toContain("has no content");
  });

  it("a --set is JSON, a text, or a list of texts", () => {
    expect(parseSet("train.lrPeak=1e-3")).toEqual({ train: { lrPeak: 1e-3 } });
    expect(parseSet("out=2026")).toEqual({ out: "2026" });
    expect(parseSet("data.field=true")).toEqual({ data: { field: "true" } });
    expect(parseSet("data.skipBadRows=true")).toEqual({ data: { skipBadRows: true } });
    expect(parseSet("data.paths=a.txt,b c.txt")).toEqual({ data: { paths: ["a.txt", "b c.txt"] } });
    expect(parseSet('data.paths=["a,b.txt"]')).toEqual({ data: { paths: ["a,b.txt"] } });
    expect(parseSet("out=a=b")).toEqual({ out: "a=b" });
  });
});

describe("a mistake in a config", () => {
  it.each([
    ["a.yaml", "train:\n  steps: 3\nmodle:\n  n_layer: 2\n", 3, "modle", "did you mean model?"],
    ["a.yaml", "train:\n  # rate\n  lrpeak: 1\n", 3, "train.lrpeak", "did you mean train.lrPeak?"],
    ["a.yaml", "n_layer: 2\n", 1, "n_layer", "did you mean model.n_layer?"],
    ["a.json", '{\n  "train": {\n    "stepz": 1 }\n}', 3, "train.stepz", "did you mean train.steps?"],
    ["a.json", '{\n  "zebra": 1\n}', 2, "zebra", "valid here: seed, out"],
  ])("%s %j: line %i, field %s, %s", async (name, text, line, field, hint) => {
    write(name, text);
    const { details } = await refusal(() => resolved({ config: name }));
    expect(details).toMatchObject({ file: name, line, field, hint: expect.stringContaining(hint) });
  });

  it.each([
    ["train: { steps: 1.5 }", "train.steps", "1.5"],
    ["train: { steps: '10' }", "train.steps", 'expected a number, got "10" (string)'],
    ["train: { lrPeak: .nan }", "train.lrPeak", "NaN"],
    ["train: { lrPeak: .inf }", "train.lrPeak", "Infinity"],
    ["train: [1]", "train", "expected an object, got a list"],
    ["data: { paths: book.txt }", "data.paths", "expected a list of texts"],
    ["data: { paths: [1] }", "data.paths.0", "expected a text"],
    ["data: { skipBadRows: 1 }", "data.skipBadRows", "expected true or false"],
    ["out: null", "out", "got null"],
    ["train: { onNan: ignore }", "train.onNan", "expected one of stop, skip"],
    ["tokenizer: { kind: BPE }", "tokenizer.kind", "expected one of bpe, char"],
  ])("%s names the field %s and says %s", async (text, field, says) => {
    write("a.yaml", text);
    const error = await refusal(() => resolved({ config: "a.yaml" }));
    expect(error.details).toMatchObject({ field, file: "a.yaml", line: 1 });
    expect(error.message).toContain(says);
  });

  it.each([
    ["a.json", '{"__proto__": {"x": 1}}'],
    ["a.json", '{"train": {"__proto__": {"x": 1}}}'],
    ["a.json", '{"constructor": {"prototype": {"x": 1}}}'],
    ["a.yaml", "__proto__: { x: 1 }\n"],
    ["a.yaml", "train:\n  constructor: { prototype: { x: 1 } }\n"],
    ["a.mjs", 'export default JSON.parse(\'{"__proto__": {"x": 1}}\');'],
  ])("%s %s is refused and reaches no prototype", async (name, text) => {
    write(name, text);
    expect((await refusal(() => resolved({ config: name }))).message).toContain("there is no such field");
    for (const path of ["__proto__.x", "constructor.prototype.x", "train.__proto__.x", "toString"]) {
      expect((await refusal(() => parseSet(`${path}=1`))).details.field).toBe(path);
      expect(isKnown(path.split("."))).toBe(false);
    }
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it.each(["=1", "seed", ""])("--set %j is refused", async (set) => {
    expect((await refusal(() => parseSet(set))).details.hint).toContain("--set key.path=value");
  });
});

describe("options that cannot be run", () => {
  const sets: [set: string | string[], field: string][] = [
    ...["n_layer", "n_head", "n_embd", "n_positions"].map((f): [string, string] => [
      `model.${f}=0`,
      `model.${f}`,
    ]),
    ["tokenizer.vocab=0", "tokenizer.vocab"],
    ["tokenizer.vocab=256", "tokenizer.vocab"],
    ...["steps", "batch", "accumulate"].map((f): [string, string] => [`train.${f}=0`, `train.${f}`]),
    ...["evalEvery", "checkpointEvery", "epochs"].map((f): [string, string] => [
      `train.${f}=-1`,
      `train.${f}`,
    ]),
    ...["warmup", "lrMin", "weightDecay", "clipNorm", "clipValue", "patience", "replicas"].map(
      (f): [string, string] => [`train.${f}=-1`, `train.${f}`],
    ),
    ...["seed", "threads", "distill.steps", "distill.layers", "distill.lrPeak"].map((f): [string, string] => [
      `${f}=-1`,
      f,
    ]),
    ...["maxMb", "maxMs", "maxLoss", "minQuality"].map((f): [string, string] => [
      `budget.${f}=-0.1`,
      `budget.${f}`,
    ]),
    ...["train.lrPeak", "distill.temperature"].map((f): [string, string] => [`${f}=0`, f]),
    ["distill.steps=0", "distill.steps"],
    ["model.n_positions=1", "model.n_positions"],
    ["data.validationShare=0", "data.validationShare"],
    ["data.validationShare=1", "data.validationShare"],
    ["model.dropout=1", "model.dropout"],
    ["distill.alpha=1.1", "distill.alpha"],
    ["train.ema=1", "train.ema"],
    ["train.averageLast=-1", "train.averageLast"],
    ["task.tokenDropout=1", "task.tokenDropout"],
    [["model.n_embd=128", "model.n_head=3"], "model.n_head"],
    [["train.steps=10", "train.warmup=11"], "train.warmup"],
    [["train.batch=8", "train.replicas=3"], "train.replicas"],
    [["train.ema=0.9", "train.averageLast=2"], "train.averageLast"],
    ["train.localSteps=-1", "train.localSteps"],
    ["train.overlap=-1", "train.overlap"],
    [["train.localSteps=10", "train.overlap=11"], "train.overlap"],
    ["train.outerLr=0", "train.outerLr"],
    ["train.zero=3", "train.zero"],
    [["train.zero=2", "train.wire=int8"], "train.zero"],
    ["train.outerMomentum=1", "train.outerMomentum"],
    [["train.localSteps=10", "train.ema=0.9"], "train.localSteps"],
    [["train.localSteps=10", "train.replicas=2", "train.batch=8"], "train.localSteps"],
    [["train.lrPeak=0.1", "train.lrMin=0.2"], "train.lrMin"],
    ['out="  "', "out"],
  ];
  it.each(sets)("%j names %s and what to do", async (set, field) => {
    const { details } = await refusal(() => resolved({ sets: [set].flat() }));
    expect(details.field).toBe(field);
    expect(details.hint).toMatch(/^(set|name) /);
  });

  it("the edges of the ranges are allowed", () => {
    const { train, model, distill, tokenizer, data } = defaults;
    const edge = {
      ...defaults,
      train: { ...train, steps: 1, warmup: 1, lrMin: train.lrPeak, clipNorm: 0, weightDecay: 0 },
      model: { ...model, n_layer: 1, n_head: 1, n_embd: 1, n_positions: 2, dropout: 0.999 },
      distill: { ...distill, steps: 1, layers: 1, alpha: 1 },
      tokenizer: { ...tokenizer, vocab: 257 },
      data: { ...data, validationShare: 0.999 },
      budget: { maxMb: 0, maxMs: 0, maxLoss: 0, minQuality: 0, limits: [], targets: ["node-cpu"] },
    };
    expect(checkOptions(edge)).toBe(edge);
    const chars: RunOptions = { ...edge, tokenizer: { kind: "char", vocab: 1 } };
    expect(checkOptions(chars)).toBe(chars);
  });

  it("the hint of a width that the heads do not divide is a width that they do", async () => {
    const { details } = await refusal(() => resolved({ sets: ["model.n_embd=128", "model.n_head=3"] }));
    const width = Number(/such as (\d+)/.exec(details.hint!)![1]);
    expect((await resolved({ sets: [`model.n_embd=${width}`, "model.n_head=3"] })).model.n_embd).toBe(width);
  });
});
