/** The report page of an evaluation, and of what fine-tuning made. */
import { existsSync, readFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { writeFileDurable } from "../../node/files/files.ts";
import { type TunedReport, tunedReportHtml } from "../../report/tuned/report.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { machineName } from "../verify/parityFile.ts";
import type { Quality } from "./evaluation.ts";

/** What was evaluated, and what was found. */
export interface Found {
  readonly task: string;
  readonly quality: Quality;
  /** Which graphs were asked: "fp32, the folder's own". */
  readonly graphs: string;
  readonly options: RunOptions;
}

/** What made the figures. */
export const provenanceOf = ({ seed }: RunOptions, graphs: string): TunedReport["provenance"] => [
  ["graphs", graphs],
  ["seed", String(seed)],
  ["made by", `anneal ${version}`],
  ["machine", machineName()],
];

/** What was said of the records: of a task that has no sections of its own, what was written. */
export const saidIn = ({ said, predictions }: Quality): Pick<TunedReport, "said"> => {
  if (said !== undefined) return { said };
  if (predictions === undefined) return {};
  const all = predictions.map(({ id = "", input, reference, prediction }) => ({
    ...{ id, prompt: String(input), right: String(reference), said: String(prediction) },
  }));
  return { said: { kind: "answers", all } };
};

/** The report of an evaluation of the model that `ref` names. */
export const evaluationReport = (
  ref: string,
  { task, quality, graphs, options }: Found,
  { command }: RecipeHooks,
): TunedReport => ({
  ...{ title: basename(resolve(ref)), task, measuredOn: quality.measuredOn, figures: quality.figures },
  ...saidIn(quality),
  ...{ training: [], notes: [], records: [["files", options.data.paths.join(", ")]] },
  ...{ provenance: provenanceOf(options, graphs), command },
});

/** What pages of ours begin with. */
const OURS = '<!doctype html>\n<html lang="en">';

/** Throws ConfigError where the file is somebody else's. */
export const requireReport = (path: string): void => {
  if (!existsSync(path) || readFileSync(path, "utf8").startsWith(OURS)) return;
  throw new ConfigError("is there, and no report", {
    file: path,
    hint: "name another file, or remove it",
  });
};

/** Writes the page. Throws ConfigError where the file is somebody else's. */
export const writeReport = async (path: string, report: TunedReport): Promise<void> => {
  requireReport(path);
  await writeFileDurable(path, [new TextEncoder().encode(tunedReportHtml(report))]);
};
