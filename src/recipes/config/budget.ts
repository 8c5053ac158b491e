/** The budget that the options state, over the figures that a model's candidates have. */
import { probeOf } from "../../evaluate/probe.ts";
import type { Model } from "../../models/model.ts";
import { type TargetName, targets as table, targetsFrom } from "../../node/targets/index.ts";
import { type Budget, type Figure, figuresOf, KEPT, type Limit, LOST, SIZE } from "../../search/figures.ts";
import { checkBudget, parseLimit } from "../../search/limit.ts";
import { ggufArchitectureOf } from "../../ship/gguf/model.ts";
import type { ConfigFields } from "../../ship/gguf/rope.ts";
import type { Task } from "../../tasks/task.ts";
import { ConfigError } from "../../util/errors.ts";
import type { BudgetOptions } from "./options.ts";

/** What may be lost where the options say nothing of quality. */
const USUAL_LOSS = 0.1;

/** Limits of the short names. */
const shortNames = ({ maxMb, maxMs, maxLoss, minQuality }: BudgetOptions): Limit[] => [
  ...(maxMb === undefined ? [] : [{ figure: SIZE, most: maxMb * 1e6 }]),
  ...(maxMs === undefined ? [] : [{ figure: "p50Ms", most: maxMs }]),
  ...(maxLoss === undefined ? [] : [{ figure: LOST, most: maxLoss }]),
  ...(minQuality === undefined ? [] : [{ figure: KEPT, least: minQuality }]),
];

/** The limits of the options, as they are named there. Throws ConfigError for a text that is no limit. */
export const limitsOf = (options: BudgetOptions): Limit[] => [
  ...shortNames(options),
  ...options.limits.map((limit, i) =>
    typeof limit === "string" ? parseLimit(limit, `budget.limits.${i}`) : limit,
  ),
];

/** A model without its weights, and what it is for. */
export interface Budgeted extends Pick<Model, "arch" | "config"> {
  readonly task: Pick<Task, "criterion" | "metrics" | "name">;
}

/** What candidates are chosen by. */
export interface Stated {
  readonly budget: Budget;
  /** The figures that the candidates have. */
  readonly figures: readonly Figure[];
  /** Where they are measured: those of the options, and those that a limit names. */
  readonly targets: readonly TargetName[];
}

/** What llama.cpp can be measured by: tokens that follow one another. */
const TASKS = ["causal-lm", "sft"];

/** Throws ConfigError for targets of two formats, and for a model that their format has no place for. */
const requireFormat = (targets: readonly TargetName[], { arch, config, task }: Budgeted): void => {
  const field = "budget.targets";
  const formats = new Set(targets.map((name) => table[name].format));
  if (formats.size > 1) {
    throw new ConfigError(`${targets.join(" and ")} run different files: graphs, GGUF`, {
      field,
      hint: "search twice, once with --target llama.cpp alone",
    });
  }
  if (!formats.has("gguf")) return;
  const known = ggufArchitectureOf({ arch });
  known.keys(config as ConfigFields);
  known.notes?.(config as ConfigFields);
  if (TASKS.includes(task.name)) return;
  throw new ConfigError(`llama.cpp is measured by the next token alone, and the task is ${task.name}`, {
    field,
    hint: "measure other tasks on node-cpu, a page or WebGPU",
  });
};

/**
 * The budget by the figures of a model's candidates. Where nothing is said of quality, 0.1 of the task's
 * figure may be lost. Throws ConfigError for a figure that the task or the target has not, with the list of
 * those that there are, and for limits that contradict one another.
 */
export const budgetOf = (options: BudgetOptions, model: Budgeted): Stated => {
  const { arch, config, task } = model;
  const { does } = probeOf({ arch, config }, 1);
  const limits = limitsOf(options);
  const named = limits
    .map(({ figure }) => figure.split("/")[0]!)
    .filter((name) => Object.hasOwn(table, name));
  const targets = targetsFrom([...new Set([...options.targets, ...named])], "budget.targets");
  requireFormat(targets, model);
  const figures = figuresOf({ task, does, targets });
  const budget = checkBudget(limits, figures);
  const judged = budget.some((limit) => figures.find(({ name }) => name === limit.figure)!.quality);
  return { budget: judged ? budget : [...budget, { figure: LOST, most: USUAL_LOSS }], figures, targets };
};
