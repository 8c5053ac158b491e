/** Prints what an optimization found: the table with its front, the choice, a sample, what to do next. */
import { join } from "node:path";
import type { Outcome } from "../../recipes/quickstart.ts";
import type { Candidate } from "../../search/optimize.ts";
import type { Task } from "../../tasks/task.ts";
import { escaped, print, printJson, table } from "./terminal.ts";

const columnsOf = ({ criterion: metric }: Task) =>
  [
    { title: "candidate", of: (c: Candidate) => c.name, align: "left" },
    { title: "front", of: (c: Candidate) => (c.onFront ? "*" : ""), align: "left" },
    { title: "parity", of: (c: Candidate) => (c.fault === undefined ? "" : "failed"), align: "left" },
    { title: metric.name, of: (c: Candidate) => c.quality.toFixed(3) },
    { title: "p50 ms", of: (c: Candidate) => c.p50Ms.toFixed(2) },
    { title: "p95 ms", of: (c: Candidate) => c.p95Ms.toFixed(2) },
    { title: "prefill tok/s", of: (c: Candidate) => c.prefillTokensPerSec.toFixed(0) },
    { title: "size MB", of: (c: Candidate) => (c.sizeBytes / 1e6).toFixed(2) },
    { title: "memory MB", of: (c: Candidate) => (c.memoryBytes / 1e6).toFixed(0) },
  ] as const;

const uses: Readonly<Record<string, string>> = {
  "causal-lm": '--prompt "..."      write with it',
  "seq2seq-lm": '--prompt "..."      translate with it',
};

const next = (path: string, { name, pipeline }: Task): string => `Next:${
  uses[name] === undefined ? "" : `\n  npx anneal generate ${path} ${uses[name]}`
}
  npx anneal optimize ${path} --max-mb 1 --out smaller   another budget
  open ${join(path, "report.html")}      the whole story, with pictures
  In Node and the browser: pipeline("${pipeline}", ...) of @huggingface/transformers loads the folder.`;

/** The result for people, or one JSON object. */
export const printOutcome = ({ optimized, delivered }: Outcome, json: boolean): void => {
  const { task, candidates, choice, doubts } = optimized;
  if (json) {
    const { chosen, met, rule, exceeded } = choice;
    const { name: metric, better } = task.criterion;
    const about = { task: task.name, metric: { name: metric, better } };
    const result = {
      path: delivered.path,
      ...about,
      chosen: chosen.name,
      met,
      rule,
      exceeded,
      candidates,
      doubts,
    };
    printJson({ ...result, parity: delivered.parity });
    return;
  }
  const sample = delivered.samples.at(-1);
  const lines = [
    "",
    table(candidates, [...columnsOf(task)]),
    "",
    `Chosen: ${choice.chosen.name} (${choice.rule}), in ${delivered.path}`,
    ...(choice.met ? [] : [`The budget is not met: ${choice.exceeded.join(", ")}.`]),
    ...delivered.notes,
    ...(sample === undefined ? [] : ["", `Sample: ${escaped(sample.prompt)}|${escaped(sample.text)}`]),
    "",
    next(delivered.path, task),
  ];
  print(`${lines.join("\n")}\n`);
};

/** The exit code of a budget that nothing meets: the nearest candidate was shipped. */
export const BUDGET_NOT_MET = 5;
