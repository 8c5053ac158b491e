/** The report of a sweep as one file of HTML: no script, nothing loaded from elsewhere. */
import { percent, plain, short } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import type { Scalar } from "../../search/space/space.ts";
import { section, shareBar, table } from "../data/sections.ts";
import { pageHtml } from "../page.ts";
import { reportStyle } from "../run/style.ts";
import { historyChart, parallelChart } from "./charts.ts";
import { qualityOf, type SweepReport, type SweptTrial } from "./model.ts";

export type { SweepReport, SweptTrial } from "./model.ts";
export { qualityOf } from "./model.ts";

const style = `${reportStyle}
svg.wide { min-width: 40rem; width: 100%; }
svg .way { fill: none; stroke-width: 1.3;
  stroke: color-mix(in srgb, var(--accent) var(--share), var(--line)); }
svg .way.best { stroke: var(--held); stroke-width: 2.6; }
.bar { display: inline-block; width: 12rem; max-width: 40vw; height: .7em; background: var(--wash); }
.bar i { display: block; height: 100%; background: var(--accent); }
`;

/** Trials that the table shows. */
const SHOWN = 100;

const cell = (value: Scalar | undefined): string =>
  typeof value !== "number"
    ? String(value ?? "\u2013")
    : Number.isInteger(value)
      ? plain(value)
      : short(value);

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
    ...names.map((name) => cell(trial.values[name])),
    stateText(trial),
  ]);
  const head = [
    "trial",
    judge.name,
    ...(size < 0 ? [] : ["MB"]),
    "s",
    ...names.map((n) => n.split(".").at(-1)!),
    "ended",
  ];
  return table(head, rows, [head.length - 1]);
};

const importanceSection = ({ importance }: SweepReport): Html =>
  section(
    "importance",
    "What decided",
    html`<p class="soft">PED-ANOVA: how far the values of the best tenth of the trials are from those of all,
as shares. Few trials make it a rough guess.</p>${table(
      ["parameter", "share", ""],
      importance.map(([name, share]) => [name, percent(share), shareBar(share)]),
    )}`,
  );

/** A self-contained page, the same for the same report. */
export const sweepReportHtml = (report: SweepReport): string => {
  const { notes, command, again, trials, judge } = report;
  const some = trials.some((t) => qualityOf(t, judge) !== undefined);
  const parts = [
    ...(again === undefined
      ? []
      : [section("again", "The best, made again", html`<pre>${again} --out best</pre>`)]),
    ...(some
      ? [
          section(
            "history",
            "History",
            html`<div class="panels"><figure>${historyChart(report)}</figure></div>`,
          ),
          importanceSection(report),
          section("parallel", "Parameters together", parallelChart(report)),
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
    ...{ parts, style },
  });
};
