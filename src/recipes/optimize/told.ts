/** What the report tells of a search: commands, where configurations ended, what decided, who says what. */
import { join } from "node:path";
import type { Labels } from "../../models/encoders/encoder.ts";
import type { Model } from "../../models/model.ts";
import type { Disagreement } from "../../report/beside.ts";
import { funnelOf, type ReportCandidate, type ReportSearch } from "../../report/run/report.ts";
import type { Candidate, Stage } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { importance } from "../../search/importance.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";
import type { Shipping } from "./shipping/shipping.ts";
import { isWide } from "./space.ts";
import { trialFolder } from "./trialFolder.ts";

/** Measured candidates of which it can be told what decided. */
const LEAST = 10;
/** Records that are shown, and characters of a text. */
const [SHOWN, LONGEST] = [20, 400];

/** What each stage asks, in the order in which it does. */
const stages: Readonly<Record<Stage, string>> = {
  size: "size, foretold",
  speed: "speed, of the shape alone",
  time: "whether there is time to teach it",
  rung: "stopped while it learnt",
  quality: "quality, of a form with more bits",
  failed: "failed",
  measured: "measured whole",
};

/** Where all configurations ended, and which parameters decided. */
export const searchTold = ({ space, records }: Optimized): ReportSearch => {
  const measured = records.filter(({ state }) => state === "complete").length;
  return {
    ...{ space, funnel: funnelOf(records, stages) },
    importance: measured < LEAST ? [] : importance(space, records),
  };
};

/** A candidate with the command that delivers it, where its folder is there. */
export const withCommand = (
  candidate: Candidate,
  {
    options,
    chosen,
    shipping,
  }: {
    readonly options: RunOptions;
    readonly chosen: Candidate;
    readonly shipping: Pick<Shipping, "command">;
  },
): ReportCandidate => {
  const { onFront, number } = candidate;
  if (candidate === chosen) {
    return { ...candidate, command: shipping.command(join(options.out, "model"), candidate) };
  }
  if (!onFront || !isWide(options)) return candidate;
  return { ...candidate, command: shipping.command(trialFolder(options.out, number), candidate) };
};

/**
 * On which held-out records the start and the chosen one differ, by what each was told right or wrong;
 * undefined of a task whose examples have not one label each.
 */
export const besideTold = (
  { task, losses, candidates, choice }: Optimized,
  { material, tokenizer }: UserData,
  { config }: Pick<Model, "config">,
): Disagreement | undefined => {
  const [start] = candidates as readonly [Candidate, ...Candidate[]];
  const [one, other] = [losses.get(start.name)!, losses.get(choice.chosen.name)!];
  if (task.criterion.name !== "accuracy" || material.kind !== "examples" || start === choice.chosen) {
    return undefined;
  }
  const { validation } = material;
  const { id2label } = config as Labels & typeof config;
  const names = Object.values(id2label as Labels["id2label"]);
  if (one.length !== validation.length || validation.some(({ parts }) => parts.labels?.length !== 1)) {
    return undefined;
  }
  const apart = validation.flatMap((example, i) => (one[i] === other[i] ? [] : [{ example, i }]));
  const said = (loss: number, label: string): string => (loss < 0 ? label : `not ${label}`);
  return {
    ...{ records: validation.length, differ: apart.length },
    onlyFirst: apart.filter(({ i }) => one[i]! < other[i]!).length,
    onlySecond: apart.filter(({ i }) => other[i]! < one[i]!).length,
    examples: apart.slice(0, SHOWN).map(({ example: { parts }, i }) => {
      const label = names[parts.labels![0]!] ?? String(parts.labels![0]);
      const input = tokenizer.decode(Array.from(parts.ids ?? [])).slice(0, LONGEST);
      return { id: "", input, reference: label, first: said(one[i]!, label), second: said(other[i]!, label) };
    }),
  };
};
