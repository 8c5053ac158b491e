/** Task files of lm-evaluation-harness: figures and answers against its own (golden/harness.py). */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { defaults } from "../src/recipes/config/options.ts";
import { silent } from "../src/recipes/context/ui.ts";
import { evaluateFolder } from "../src/recipes/evaluate/evaluate.ts";
import { questionsOf } from "../src/recipes/evaluate/harness/documents.ts";
import { literalList } from "../src/recipes/evaluate/harness/literal.ts";
import { readTaskFile } from "../src/recipes/evaluate/harness/taskFile.ts";
import { ConfigError, DataError } from "../src/util/errors.ts";

const place = new URL("./golden/harness/", import.meta.url).pathname;
interface Golden {
  readonly figures: Readonly<Record<string, number>>;
  readonly samples: readonly { readonly replies: readonly unknown[]; readonly target: unknown }[];
}
const golden: Readonly<Record<string, Golden>> = JSON.parse(
  readFileSync(new URL("./golden/harness.json", import.meta.url), "utf8"),
);
const dir = mkdtempSync(join(tmpdir(), "anneal-harness-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const evaluated = async (taskFile: string) => {
  const predictions = join(dir, "predictions.jsonl");
  const hooks = { ui: silent, command: "anneal eval" };
  const given = { taskFile, predictions };
  const { figures } = await evaluateFolder(join(place, "model"), given, { ...defaults, threads: 1 }, hooks);
  const lines = readFileSync(predictions, "utf8").trimEnd().split("\n");
  return { figures, predictions: lines.map((line) => JSON.parse(line)) };
};

describe("figures", () => {
  it.each(Object.keys(golden))("%s are the harness's", async (name) => {
    const { figures, predictions } = await evaluated(join(place, `${name}.yaml`));
    for (const [metric, value] of Object.entries(golden[name]!.figures)) {
      const found = figures[metric]!.value;
      expect(Math.abs(found - value) / Math.max(1e-9, Math.abs(value)), metric).toBeLessThan(2e-4);
    }
    const { samples } = golden[name]!;
    expect(predictions.length).toBe(samples.length);
    if (name === "written") {
      expect(predictions.map((one) => one.prediction)).toEqual(samples.flatMap(({ replies }) => replies));
    }
    if (name === "said") {
      const logProbs = samples.map(({ replies }) => (replies as [number, boolean][])[0]![0]);
      for (const [i, { prediction }] of predictions.entries())
        expect(prediction).toBeCloseTo(logProbs[i]!, 3);
    }
  });
});

describe("what is refused", () => {
  const fileOf = (text: string): string => {
    const file = join(dir, "task.yaml");
    writeFileSync(file, text);
    return file;
  };
  it.each([
    ["task: x\nprocess_docs: !function utils.process_docs\n", /process_docs.*code of the task file/],
    ["task: x\nclass: y\n", /"class": is not among/],
    ["task: x\noutput_type: perplexities\n", /output_type/],
    [
      "task: x\noutput_type: loglikelihood\nmetric_list:\n  - metric: bleu\n",
      /bleu is not a figure of loglike/,
    ],
    ["task: x\nmetric_list:\n  - metric: f1\n", /metric_list\.0\.metric/],
    ["task: x\ntest_split: test\ndoc_to_text: '{{q}}'\n", /names no file of the split test/],
    ["task: x\ndataset_kwargs:\n  data_files: ../up.jsonl\n", /not in its own folder/],
    ["task: x\ndataset_kwargs:\n  data_files: none.jsonl\n", /cannot be read \(ENOENT\)/],
  ])("%j", async (text, said) => {
    const failed = await evaluated(fileOf(text)).catch((error: unknown) => error);
    expect(failed instanceof ConfigError || failed instanceof DataError).toBe(true);
    expect((failed as Error).message).toMatch(said);
  });

  const task = { ...readTaskFile(join(place, "choice.yaml")) };
  const recordOf = (fields: Record<string, unknown>) => [{ id: "rows.jsonl:3", fields }];
  it("a record without a column that a template names", () => {
    expect(() => questionsOf(task, recordOf({ question: "?", answer: 0 }), [])).toThrow(
      /rows\.jsonl:3: has no "options", which doc_to_choice names/,
    );
  });
  it("a tag that is not closed, in a template whose last line end stays", () => {
    const fields = { question: "?", options: ["a", "b"], answer: 1 };
    const [asked] = questionsOf({ ...task, doc_to_text: "{{question}}\n" }, recordOf(fields), []);
    expect(asked!.context.endsWith("?\n")).toBe(true);
    const open = { ...task, doc_to_text: "Q: {{ question" };
    expect(() => questionsOf(open, recordOf(fields), [])).toThrow(
      /doc_to_text.*a tag is not closed: \}\} is/,
    );
  });
  it("a target that is none of the choices", () => {
    const fields = { question: "?", options: ["a", "b"], answer: 2 };
    expect(() => questionsOf(task, recordOf(fields), [])).toThrow(/rows\.jsonl:3.*none of 2 choices/);
  });
});

describe("lists that Python prints", () => {
  it.each([
    [`['a', "it's", 'q"', '\\n\\x41\\u00e9', 3]`, ["a", "it's", 'q"', "\nA\u00e9", "3"]],
    ["[]", []],
    ["[True, None, -1.5]", ["True", "None", "-1.5"]],
  ])("%s", (text, items) => expect(literalList(text, "doc_to_choice")).toEqual(items));
  it.each(["", "a, b", "['a' 'b']", "['a'", "[f(x)]", "['a'] + ['b']"])("%s is none", (text) => {
    expect(() => literalList(text, "doc_to_choice")).toThrow(ConfigError);
  });
});
