/** Prints what an optimization found: the table with its front, the choice, a sample, what to do next. */
import { join } from "node:path";
import type { Outcome } from "../../recipes/optimize/compressAndShip.ts";
import type { Delivered } from "../../recipes/optimize/deliver.ts";
import type { Candidate } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { type Figure, LOST, measuredValue, shownFigures, writtenValue } from "../../search/figures.ts";
import { pickLines } from "../../search/picks/picks.ts";
import type { Task } from "../../tasks/task.ts";
import { escaped, print, printJson, table } from "./terminal.ts";

const columnsOf = ({ figures, budget }: Optimized) =>
  [
    { title: "candidate", of: (c: Candidate) => c.name, align: "left" },
    { title: "front", of: (c: Candidate) => (c.onFront ? "*" : ""), align: "left" },
    { title: "parity", of: (c: Candidate) => (c.fault === undefined ? "" : "failed"), align: "left" },
    ...shownFigures(figures, budget).map((figure) => ({
      title: [figure.label, figure.name === LOST ? "" : figure.unit].join(" ").trim(),
      of: (c: Candidate) => writtenValue(figure, measuredValue(c, figure.name)),
    })),
  ] as const;

const uses: Readonly<Record<string, string>> = {
  "causal-lm": '--prompt "..."      write with it',
  "seq2seq-lm": '--prompt "..."      translate with it',
};

const running = ({ path, ggufFile }: Delivered, { pipeline }: Task): string =>
  ggufFile === undefined
    ? `In Node and the browser: pipeline("${pipeline}", ...) of @huggingface/transformers loads the folder.`
    : `llama-cli -m ${join(path, ggufFile)}      llama.cpp, Ollama and LM Studio load the file`;

const next = (delivered: Delivered, task: Task): string => {
  const { path, ggufFile } = delivered;
  const use = ggufFile === undefined ? uses[task.name] : undefined;
  return `Next:${use === undefined ? "" : `\n  npx anneal generate ${path} ${use}`}
  npx anneal optimize ${path} --max-mb 1 --out smaller   another budget
  open ${join(path, "report.html")}      the whole story, with pictures
  ${running(delivered, task)}`;
};

/** The result for people, or one JSON object. */
export const printOutcome = ({ optimized, delivered }: Outcome, json: boolean): void => {
  const { task, candidates, choice, doubts, budget, figures, picks } = optimized;
  if (json) {
    const { chosen, met, rule, exceeded } = choice;
    const [{ name: figure, better }] = optimized.figures as [Figure];
    const about = { task: task.name, metric: { name: task.criterion.name, figure, better }, budget };
    const result = {
      path: delivered.path,
      ...about,
      chosen: chosen.name,
      met,
      rule,
      exceeded,
      candidates,
      picks: picks.map(({ candidate, ...pick }) => ({ ...pick, candidate: candidate.name })),
      doubts,
    };
    printJson({ ...result, parity: delivered.parity });
    return;
  }
  const sample = delivered.samples.at(-1);
  const lines = [
    "",
    table(candidates, [...columnsOf(optimized)]),
    "",
    `Chosen: ${choice.chosen.name} (${choice.rule}), in ${delivered.path}`,
    ...pickLines(picks, figures).map((line) => `Beside it: ${line}`),
    ...(choice.met ? [] : [`The budget is not met: ${choice.exceeded.join(", ")}.`]),
    ...delivered.notes,
    ...(sample === undefined ? [] : ["", `Sample: ${escaped(sample.prompt)}|${escaped(sample.text)}`]),
    "",
    next(delivered, task),
  ];
  print(`${lines.join("\n")}\n`);
};

/** The exit code of a budget that nothing meets: the nearest candidate was shipped. */
export const BUDGET_NOT_MET = 5;
