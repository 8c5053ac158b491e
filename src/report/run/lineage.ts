/** The part of the report that says how candidates came about: those of the front, and the chosen one. */
import { count } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section } from "../data/sections.ts";
import { historyLines } from "../lineage.ts";
import { importanceSection } from "../search/importance.ts";
import { parallelChart } from "../search/parallel.ts";
import { toldOf } from "./candidates.ts";
import type { Report, ReportCandidate } from "./model.ts";

const passesOf = ({ lineage = [] }: ReportCandidate): Html => {
  const lines = historyLines(lineage);
  return lines.length === 0
    ? html`<p class="soft">The start as it was.</p>`
    : html`<ol class="passes">${lines.map((line) => html`<li>${line}</li>`)}</ol>`;
};

const item = (c: ReportCandidate, chosen: boolean): Html =>
  html`<details${
    chosen && { html: " open" }
  }><summary>${c.number !== undefined && html`<span class="soft">${c.number}</span> `}${c.name}${
    chosen && html` <span class="good">shipped</span>`
  }</summary>${passesOf(c)}${c.command !== undefined && html`<pre>${c.command}</pre>`}</details>`;

/** The passes of each point of the front, in words, with the command that delivers it. */
export const lineageSection = ({ candidates, chosen }: Report): Html => {
  const told = candidates.filter((c) => c.lineage !== undefined || c.command !== undefined);
  const shown = told.filter((c) => c.onFront || c.name === chosen);
  if (shown.length === 0) return html``;
  const own = shown.toSorted((a, b) => +(b.name === chosen) - +(a.name === chosen));
  const rest = told.length - shown.length;
  return section(
    "lineage",
    "How each was made",
    html`<p class="soft">The passes from the start to each point of the front, and the command for it${
      rest > 0 && `; ${count(rest)} that others beat are not shown`
    }.</p><div class="made">${own.map((c) => item(c, c.name === chosen))}</div>`,
  );
};

/** Parameters and the quality that went with them, and which decided: of candidates of a search. */
export const parametersSection = (report: Report): Html => {
  const { search, candidates, chosen } = report;
  if (search === undefined) return html``;
  const { criterion, quality } = toldOf(report);
  const trials = candidates.flatMap((c, i) => {
    const value = quality(c);
    const { number = i, values } = c;
    return values === undefined || !Number.isFinite(value) ? [] : [{ number, values, value, name: c.name }];
  });
  if (trials.length < 2) return html``;
  const best = trials.find(({ name }) => name === chosen)?.number;
  const judge = { name: criterion.label, better: criterion.better };
  const { importance, space } = search;
  return html`${section(
    "parameters",
    "Parameters together",
    html`<p class="soft">A line is a candidate, the better the stronger; what stands out is shipped.</p>
${parallelChart({ space, trials, judge, best })}`,
  )}${importance.length > 0 && importanceSection(importance)}`;
};
