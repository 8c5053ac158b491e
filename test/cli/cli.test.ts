/** The command line as a user meets it: what it prints where, and with which code it ends. */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type EndedInProcess, inProcess } from "../../src/cli/inProcess.fixture.ts";
import { exitCodeOf, Interrupted } from "../../src/cli/process/exit.ts";
import { failureOf } from "../../src/cli/process/failure.ts";
import * as errors from "../../src/util/errors.ts";
import { dir } from "./folder.ts";

/** In this process, in the test's folder. */
const anneal = (...argv: string[]): Promise<EndedInProcess> => inProcess(dir, argv);

const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return name;
};

/** The resolved config of a command line. */
const configOf = async (...argv: string[]) => {
  const { code, out, err } = await anneal(...argv, "--print-config", "--json");
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out) as { hash: string; config: { [key: string]: { [key: string]: unknown } } };
};

const verbs = ["quickstart", "train", "optimize", "eval", "generate", "export", "doctor"];

describe("help", () => {
  test("names every command", async () => {
    const { code, out, err } = await anneal("--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    for (const verb of verbs) expect(out).toMatch(new RegExp(`^ +${verb} `, "m"));
    expect(await anneal()).toEqual({ code: 0, out, err: "" });
  });

  test.each(verbs)("%s has examples", async (verb) => {
    const { code, out } = await anneal(verb, "--help");
    expect(code).toBe(0);
    expect(out).toContain(`$ npx anneal ${verb}`);
    expect(await anneal("help", verb)).toEqual({ code, out, err: "" });
  });

  test("--version is the package's", async () => {
    const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
    expect(await anneal("--version")).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });
});

describe("mistakes in the command line", () => {
  const cases: [argv: string[], message: string, hint: string][] = [
    [["trian"], "unknown command 'trian'", "did you mean train?"],
    [["train", "--stpes", "3"], "unknown option '--stpes'", "did you mean --steps?"],
    [["train", "--steps", "x"], '"x" is not a number.', "npx anneal train --help"],
    [["train", "--optimizer", "adamx"], "Allowed choices are sgd", "did you mean adam?"],
    [["train", "book.txt"], "too many arguments", "npx anneal train --help"],
    [["generate"], "missing required argument 'model'", "npx anneal generate --help"],
    [["generate", "m", "-n", "0"], "a whole number, at least 1", "npx anneal generate --help"],
    [["generate", "m", "--top-p", "2"], "from 0 to 1", "npx anneal generate --help"],
    [["train", "--steps", "0"], '"train.steps": 0 is not at least 1', "set train.steps"],
    [
      ["train", "--set", "train.stepz=3"],
      '"train.stepz": there is no such field',
      "did you mean train.steps?",
    ],
    [["train", "--set", "train.steps"], "--set train.steps has no value", "--set key.path=value"],
    [["train", "--heads", "5"], '"model.n_head": 128 channels', "multiple of the heads, such as 130"],
    [["train", "--warmup", "9", "--steps", "8"], '"train.warmup": 9 steps', "--warmup"],
    [["train", "--vocab", "256"], '"tokenizer.vocab": 256 is too few', "--vocab"],
    [["train", "-c", "none.yaml"], "none.yaml: there is no such file", "--config"],
  ];
  test.each(cases)("%j", async (argv, message, hint) => {
    const { code, out, err } = await anneal(...argv);
    expect(err).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/);
    expect(err.split("\n")[0]).toContain(message);
    expect(err.split("\n")[1]).toContain(hint);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const json = await anneal(...argv, "--json");
    expect(json).toMatchObject({ code: 2, err: "" });
    expect(JSON.parse(json.out).error.message).toContain(message);
  });
});

describe("config", () => {
  test("flags over --set over the file over the defaults", async () => {
    file("anneal.config.yaml", "seed: 5\ntrain:\n  steps: 90\n  batch: 3\n  warmup: 7\n");
    const { config } = await configOf(
      "train",
      "--set",
      "train.batch=4",
      "--set",
      "train.warmup=8",
      "--warmup",
      "9",
    );
    expect(config.seed).toBe(5);
    expect(config.train).toMatchObject({ steps: 90, batch: 4, warmup: 9, accumulate: 1 });
  });

  test("what is printed is a config file of the same hash", async () => {
    const { code, out } = await anneal(
      "train",
      "--steps",
      "70",
      "--data",
      "a b.txt",
      "c.txt",
      "--print-config",
    );
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({ train: { steps: 70 }, data: { paths: ["a b.txt", "c.txt"] } });
    file("printed.yaml", out);
    const { hash } = await configOf("train", "-c", "printed.yaml");
    expect(out).toContain(`# hash ${hash}\n`);
    expect((await configOf("train", "-c", "printed.yaml", "--seed", "2")).hash).not.toBe(hash);
  });

  test("TypeScript, JavaScript and JSON say the same", async () => {
    file("a.ts", "const steps: number = 61;\nexport default { train: { steps } } satisfies object;\n");
    file("b.mjs", "export default { train: { steps: 61 } };\n");
    file("c.json", '{ "$schema": "./schema.json", "train": { "steps": 61 } }');
    const hashes = new Set<string>();
    for (const name of ["a.ts", "b.mjs", "c.json"]) {
      const { hash, config } = await configOf("train", "--config", name);
      expect(config.train!.steps).toBe(61);
      hashes.add(hash);
    }
    expect(hashes.size).toBe(1);
  });

  const broken: [name: string, text: string, error: string, hint: string | undefined][] = [
    [
      "a.yaml",
      "seed: 3\ntrain:\n  stepps: 3\n",
      'a.yaml:3, field "train.stepps"',
      "did you mean train.steps?",
    ],
    [
      "b.json",
      '{\n\t"seed": 3,\n\t"train": { "steps": "many" }\n}',
      'b.json:3, field "train.steps": expected a number, got "many" (string)',
      undefined,
    ],
    [
      "c.json",
      '{\n  "train": { "optimizer": "adamx" }\n}',
      'c.json:2, field "train.optimizer"',
      "did you mean adam?",
    ],
    ["d.json", '{\n  "seed": \n}', "d.json:", undefined],
    ["e.yaml", "train: *nothing\n", "e.yaml: Unresolved alias", undefined],
    ["f.yaml", "a: [1\n", "f.yaml:", undefined],
    ["g.json", '{ "__proto__": { "polluted": 1 } }', 'g.json:1, field "__proto__"', "valid here: seed"],
    ["h.json", "[1]", "h.json: expected an object of options, got a list", undefined],
    ["i.mjs", "throw new Error('no');", "i.mjs: cannot be loaded: no", undefined],
    ["j.toml", "a = 1", 'j.toml: ".toml" is no config format', ".yaml"],
  ];
  test.each(broken)("%s names what is wrong", async (name, text, error, hint) => {
    const { code, out, err } = await anneal("train", "-c", file(name, text));
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toContain(`error: ${error}`);
    if (hint !== undefined) expect(err).toContain(hint);
  });

  test.each(["__proto__.polluted=1", "constructor.prototype.polluted=1", "train.__proto__.polluted=1"])(
    "--set %s changes nothing",
    async (set) => {
      expect((await anneal("train", "--set", set)).code).toBe(2);
      expect(({} as { polluted?: number }).polluted).toBeUndefined();
    },
  );
});

describe("exit codes", () => {
  test.each([
    [errors.ConfigError, 2],
    [errors.ShapeError, 2],
    [errors.DataError, 3],
    [errors.FormatError, 3],
    [errors.CheckpointError, 3],
    [errors.MissingError, 4],
    [errors.BudgetError, 5],
    [errors.BusyError, 75],
    [errors.RunError, 1],
  ] as const)("%o ends with %i", (type, code) => {
    expect(exitCodeOf(new type("x"))).toBe(code);
  });

  test("what is not known ends with 1, an interruption with its signal's", () => {
    expect([exitCodeOf(new TypeError("x")), exitCodeOf("x")]).toEqual([1, 1]);
    expect([exitCodeOf(new Interrupted(130)), exitCodeOf(new Interrupted(143))]).toEqual([130, 143]);
  });

  test("text that is not there is 3, with a hint", async () => {
    const { code, err } = await anneal("train", "--quiet", "--data", join(dir, "none.txt"));
    expect(code).toBe(3);
    expect(err).toMatch(/^error: .*none\.txt/);
  });

  test("a model that is not there is 3, and nothing is written before it is read", async () => {
    const argv = ["generate", join(dir, "none"), "--prompt", "Once", "--temperature", "0.5"];
    const { code, out, err } = await anneal(...argv);
    expect({ code, out }).toEqual({ code: 3, out: "" });
    expect(err).toContain("is no folder");
    expect(err).toContain("hint: ");
  });

  test("the stack comes with --verbose only", () => {
    const error = new errors.DataError("is torn", {
      file: "a.txt",
      line: 3,
      hint: "mend it",
      cause: new Error("inner"),
    });
    const plain = { name: "DataError", message: "a.txt:3: is torn", file: "a.txt", line: 3, hint: "mend it" };
    expect(failureOf(error, false)).toEqual(plain);
    expect(failureOf(error, true)).toEqual({ ...plain, stack: error.stack });
    expect(failureOf(new TypeError("x"), false)).toMatchObject({ name: "TypeError", message: "x" });
    expect(failureOf(new TypeError("x"), false)).not.toHaveProperty("stack");
  });
});

test("doctor says what works, as a table and as JSON", async () => {
  const json = await anneal("doctor", "--json");
  expect(json).toMatchObject({ code: 0, err: "" });
  const { ok, checks } = JSON.parse(json.out) as { ok: boolean; checks: { name: string; status: string }[] };
  expect(ok).toBe(true);
  expect(checks.find(({ name }) => name === "engine")).toMatchObject({ status: "ok" });
  const { code, out } = await anneal("doctor");
  expect(code).toBe(0);
  expect(out).toMatch(/^ok +engine +onnxruntime-node/m);
  // Whether it is quick is the machine's matter.
  expect(out).toMatch(/^(ok|warn) +4 bits in blocks of 32 with zeros, int8 /m);
});
