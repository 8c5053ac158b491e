/** The report of a sweep as one file of HTML: no script, nothing loaded from elsewhere. */
import { short } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section, table } from "../data/sections.ts";
import { pageHtml } from "../page.ts";
import { reportStyle } from "../run/style.ts";
import { importanceSection } from "../search/importance.ts";
import { parallelChart, shortName, valueText } from "../search/parallel.ts";
import { historyChart } from "./charts.ts";
import { qualityOf, type SweepReport, type SweptTrial } from "./model.ts";

export type { SweepReport, SweptTrial } from "./model.ts";
export { qualityOf } from "./model.ts";

/** Trials that the table shows. */
const SHOWN = 100;

const stateText = ({ state, error }: SweptTrial): string =>
  state === "failed" ? `failed: ${error ?? "no reason told"}` : state === "pruned" ? "stopped" : state;

const headline = ({ trials, best, judge, sampler }: SweepReport): Html => {
  const by = (state: string): number => trials.filter((t) => t.state === state).length;
  const found = trials.find(({ number }) => number === best);
  const value = found && qualityOf(found, judge);
  const what =
    value === undefined
      ? html`No trial has ended with a result`
      : html`Trial ${best!} is best: ${judge.name} <b>${short(value)}</b>`;
  return html`<p class="lead-sentence">${what}.</p>
<p class="soft">${trials.length} trials by ${sampler}: ${by("complete")} complete, ${by("pruned")} stopped on
their way, ${by("failed")} failed${by("running") > 0 && `, ${by("running")} to be gone on with`}.</p>`;
};

const trialTable = (report: SweepReport): Html => {
  const { space, trials, judge, goals } = report;
  const names = Object.keys(space);
  const sign = judge.better === "more" ? -1 : 1;
  const key = (t: SweptTrial): number => sign * (qualityOf(t, judge) ?? sign * Number.POSITIVE_INFINITY);
  const order = trials.toSorted((a, b) => key(a) - key(b) || a.number - b.number).slice(0, SHOWN);
  const size = goals.indexOf("size");
  const rows = order.map((trial) => [
    `${trial.number}${report.front.includes(trial.number) ? " *" : ""}`,
    short(qualityOf(trial, judge)),
    ...(size < 0 ? [] : [short((trial.objectives?.[size] ?? Number.NaN) / 1e6)]),
    short(trial.seconds),
    ...names.map((name) => valueText(trial.values[name])),
    stateText(trial),
  ]);
  const head = [
    "trial",
    judge.name,
    ...(size < 0 ? [] : ["MB"]),
    "s",
    ...names.map((n) => shortName(n)),
    "ended",
  ];
  return table(head, rows, [head.length - 1]);
};

/** Trials that have a quality. */
const judgedIn = ({ trials, judge }: SweepReport) =>
  trials.flatMap((trial) => {
    const value = qualityOf(trial, judge);
    return value === undefined ? [] : [{ number: trial.number, values: trial.values, value }];
  });

/** A self-contained page, the same for the same report. */
export const sweepReportHtml = (report: SweepReport): string => {
  const { notes, command, again, space, judge, best } = report;
  const judged = judgedIn(report);
  const parts = [
    ...(again === undefined
      ? []
      : [section("again", "The best, made again", html`<pre>${again} --out best</pre>`)]),
    ...(judged.length > 0
      ? [
          section(
            "history",
            "History",
            html`<div class="panels"><figure>${historyChart(report)}</figure></div>`,
          ),
          importanceSection(report.importance),
          section("parallel", "Parameters together", parallelChart({ space, trials: judged, judge, best })),
        ]
      : []),
    section(
      "trials",
      "Trials",
      html`<p class="soft">* no other trial is better in every goal.</p>${trialTable(report)}`,
    ),
    ...(notes.length === 0
      ? []
      : [section("rungs", "Stopping", html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`)]),
    section("provenance", "Provenance", html`<pre>${command}</pre>`),
  ];
  return pageHtml({
    title: `Sweep: ${report.dir}`,
    heading: report.dir,
    headline: headline(report),
    ...{ parts, style: reportStyle },
  });
};
