/** Shows what a search is at: one task of progress at a time. */
import { join } from "node:path";
import type { Model } from "../../models/model.ts";
import type { FormStep, OptimizeOptions } from "../../search/candidates/run.ts";
import { baseName, cuttableOf } from "../../search/candidates/space.ts";
import type { Space, Values } from "../../search/space/space.ts";
import type { MetricsRow } from "../../train/loop.ts";
import type { RunOptions } from "../config/options.ts";
import type { Progress, Ui } from "../context/ui.ts";
import { type Curve, follow } from "../train/pretrain.ts";

/** Steps of measuring a form, in their order. */
const steps: readonly FormStep[] = ["begun", "made", "judged", "scored"];

/** What is shown while candidates are made and measured. */
export interface Showing extends Required<Pick<OptimizeOptions, "onForm" | "onFit">> {
  /** Told of each step of a student of `steps`. */
  watch(values: Values, steps: number): (row: MetricsRow) => void;
  /** Ends what is shown, with the line that stays of what was taught. */
  done(): void;
  curves(): readonly Curve[];
}

/** Shows each smaller model as it is fitted, learns and is measured, and keeps its curve. */
export const showing = (space: Space, model: Model, options: RunOptions, ui: Ui): Showing => {
  const curves = new Map<string, () => Curve>();
  const { layers } = cuttableOf(model);
  let open:
    | { readonly title: string; readonly task: Progress; readonly end: (task: Progress) => void }
    | undefined;
  const done = (): void => {
    open?.end(open.task);
    open = undefined;
  };
  const at = (title: string, total: number, end: (task: Progress) => void = () => {}): Progress => {
    if (open?.title !== title) {
      done();
      open = { title, task: ui.task(title, total), end };
    }
    return open.task;
  };
  return {
    done,
    onForm: (name, step) => at(`measuring ${name}`, steps.length).update(steps.indexOf(step), { [step]: "" }),
    onFit: (values, fitted, of) => at(`fitting ${baseName(space, values, layers)}`, of).update(fitted),
    watch(values, updates) {
      const name = baseName(space, values, layers);
      let onRow: ((row: MetricsRow) => void) | undefined;
      return (row) => {
        if (onRow === undefined) {
          const task = at(`teaching ${name}`, updates, (ended) => ended.done(`taught ${name}`));
          const student = follow(name, task, join(options.out, "run", "metrics.jsonl"));
          curves.set(name, student.curve);
          onRow = student.onRow;
        }
        onRow(row);
      };
    },
    // What was given up at once has no curve.
    curves: () => Array.from(curves.values(), (curve) => curve()).filter(({ train }) => train.length > 0),
  };
};
