/** Shows what a search is at: one task of progress at a time. */
import { join } from "node:path";
import type { Model } from "../../models/model.ts";
import type { FormStep, OptimizeOptions } from "../../search/candidates/run.ts";
import { baseName, cuttableOf } from "../../search/candidates/space.ts";
import { sizeOf } from "../../search/space/configurations.ts";
import type { Space, Values } from "../../search/space/space.ts";
import type { MetricsRow } from "../../train/loop.ts";
import type { RunOptions } from "../config/options.ts";
import type { Progress, Ui } from "../context/ui.ts";
import { type Curve, follow } from "../train/pretrain.ts";

/** What is done to a form next, by how far it has come. */
const next: Readonly<Record<FormStep, string>> = {
  begun: "making",
  made: "checking",
  judged: "scoring",
  scored: "timing",
};

/** Spaces of more configurations are not counted. */
const COUNTED = 10_000;

/** What is shown while candidates are made and measured. */
export interface Showing extends Required<Pick<OptimizeOptions, "onForm" | "onScored" | "onFit">> {
  /** Told of each step of a student of `steps`. */
  watch(values: Values, steps: number): (row: MetricsRow) => void;
  /** Ends what is shown, with the line that stays of what was taught. */
  done(): void;
  curves(): readonly Curve[];
}

/** What a search has of time. */
export interface TimeLeft {
  /** Milliseconds until it ends; infinite without end. */
  left(): number;
}

/** Of a search whose time is limited: "12 min left of 30". */
const timeText = (leftMs: number, wholeSec: number): string[] => {
  if (!Number.isFinite(leftMs)) return [];
  const [unit, per] = wholeSec < 600 ? ["s", 1] : ["min", 60];
  return [`${Math.max(0, Math.round(leftMs / 1000 / per))} ${unit} left of ${Math.round(wholeSec / per)}`];
};

/** Shows each smaller model as it is fitted, learns and is measured, and keeps its curve. */
export const showing = (
  {
    space,
    model,
    options,
    clock,
  }: {
    readonly space: Space;
    readonly model: Model;
    readonly options: RunOptions;
    readonly clock: TimeLeft;
  },
  ui: Ui,
): Showing => {
  const all = sizeOf(space, COUNTED);
  const begun = new Set<string>();
  const where = (): string => {
    const of = all < COUNTED ? ` of at most ${all}` : "";
    return [`form ${begun.size}${of}`, ...timeText(clock.left(), options.search.timeSec)].join(", ");
  };
  const curves = new Map<string, () => Curve>();
  let latest = "";
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
    onForm: (name, step) => {
      begun.add(name);
      latest = name;
      at(name, 0).update(0, { [next[step]]: "", "": where() });
    },
    onScored: (scored, of) => at(`scoring ${latest}`, of).update(scored, { "": where() }),
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
