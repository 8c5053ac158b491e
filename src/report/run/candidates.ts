/** The part of the report that compares the candidates: sentence, pictures, table. */

import { scatterChart } from "../../render/chart.ts";
import { count, fixed, megabytes, short, signed } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { paretoFront } from "../../search/pareto.ts";
import type { Report, ReportCandidate } from "./model.ts";

/** Limits of the budget in words: empty where there are none. */
export const limitsOf = ({
  budget: { maxMb, maxMs, maxLoss },
  metric,
}: Pick<Report, "budget" | "metric">): string[] => [
  ...(maxMb === undefined ? [] : [`at most ${maxMb} MB`]),
  ...(maxMs === undefined ? [] : [`at most ${maxMs} ms per ${metric.step}`]),
  ...(maxLoss === undefined ? [] : [`at most ${maxLoss} ${metric.name} lost`]),
];

const verdict = (report: Report): Html => {
  const { met, exceeded, rule } = report;
  const limits = limitsOf(report);
  if (limits.length === 0) return html`<p>No budget was set; the rule was: ${rule}.</p>`;
  return met
    ? html`<p><span class="good">The budget is met</span> (${limits.join(", ")}). Chosen as the ${rule}.</p>`
    : html`<p><span class="bad">The budget is not met</span> (${limits.join(", ")}): ${exceeded.join("; ")}.
Chosen as the ${rule}.</p>`;
};

/** How the chosen candidate compares with the reference, in words. */
const lossAgainst = (chosen: ReportCandidate, whole: ReportCandidate): Html => {
  if (chosen === whole) return html`. It is the whole model itself`;
  const more = chosen.quality - whole.quality;
  if (Math.abs(more) < 5e-5) return html`, the same as the whole model (${whole.name})`;
  return html`, <b>${fixed(Math.abs(more), 4)}</b> ${more > 0 ? "more" : "less"} than the whole model
(${whole.name}: ${megabytes(whole.sizeBytes)} MB, ${short(whole.p50Ms)} ms, ${fixed(whole.quality, 3)})`;
};

/** One sentence of what is shipped, and whether the budget is met. */
export const headline = (report: Report, chosen: ReportCandidate): Html => html`<p class="lead-sentence">
Shipped <b>${chosen.name}</b>: <b>${megabytes(chosen.sizeBytes)} MB</b>,
<b>${short(chosen.p50Ms)} ms</b> per ${report.metric.step},
<b>${fixed(chosen.quality, 3)}</b> ${report.metric.name} on held-out
text${lossAgainst(chosen, report.candidates[0]!)}.</p>
${verdict(report)}`;

const picture = (
  report: Report,
  xLabel: string,
  x: (c: ReportCandidate) => number,
  limitX: number | undefined,
): Html => {
  const points = report.candidates.map((c) => ({
    name: c.name,
    x: x(c),
    y: c.quality,
    lost: c.lost,
    onFront: c.onFront,
    sound: c.fault === undefined,
    chosen: c.name === report.chosen,
  }));
  const { maxLoss } = report.budget;
  const sign = report.metric.better === "less" ? 1 : -1;
  const limitY = maxLoss === undefined ? undefined : report.candidates[0]!.quality + sign * maxLoss;
  return scatterChart({
    xLabel,
    yLabel: report.metric.name,
    points,
    front: paretoFront(
      points.filter(({ sound }) => sound),
      [(p) => p.x, (p) => p.lost],
    ),
    ...(limitX === undefined ? {} : { limitX }),
    ...(limitY === undefined ? {} : { limitY, leastY: sign < 0 }),
  });
};

/** Two pictures: quality against size, quality against time. */
export const paretoSection = (
  report: Report,
): Html => html`<section id="pareto"><h2>What each candidate costs</h2>
<p>${report.metric.better === "less" ? "Lower" : "Upper"} left is better.
The line joins those that no other beats in both figures of the picture.
Hollow points are beaten in size, time and quality together; the ringed one is shipped.
Red marks what the budget rules out; a limit with an arrow lies beyond the picture.
A triangle at the upper edge lies far above.</p>
<div class="panels">
<figure>${picture(report, "size, MB", (c) => c.sizeBytes / 1e6, report.budget.maxMb)}</figure>
<figure>${picture(
  report,
  `median time of a ${report.metric.step}, ms`,
  (c) => c.p50Ms,
  report.budget.maxMs,
)}</figure>
</div></section>`;

const head = (
  names: readonly (readonly [name: string, unit?: string, text?: boolean])[],
): Html => html`<thead><tr>
${names.map(([name, unit, text]) => {
  const kind = text === true && html` class="text"`;
  return html`<th scope="col"${kind}>${name}<small>${unit}</small></th>`;
})}
</tr></thead>`;

const parityCell = ({ fault }: ReportCandidate): Html =>
  fault === undefined ? html`<td class="text">passes</td>` : html`<td class="text bad">fails</td>`;

const remarks = ({ fault, note }: ReportCandidate, chosen: boolean): string =>
  [...(chosen ? ["shipped"] : []), ...(fault === undefined ? [] : [`fails parity: ${fault}`]), note]
    .filter((text) => text !== undefined)
    .join("; ");

const row = (c: ReportCandidate, whole: ReportCandidate, chosen: boolean): Html => html`
<tr class="${chosen ? "chosen" : c.onFront ? "" : "dim"}"><th scope="row">${c.name}</th>
<td>${count(c.layers)}</td><td>${count(c.params)}</td><td>${megabytes(c.sizeBytes)}</td>
<td>${fixed(c.quality, 4)}</td>
<td>${c === whole ? "\u2013" : signed(c.lost, 4)}</td>
<td>${short(c.p50Ms)}</td><td>${short(c.p95Ms)}</td><td>${count(c.prefillTokensPerSec)}</td>
<td>${megabytes(c.memoryBytes)}</td>${parityCell(c)}<td>${c.onFront ? "\u25cf" : ""}</td>
<td class="text">${remarks(c, chosen)}</td></tr>`;

/** Every figure of every candidate. */
export const candidatesSection = (report: Report): Html => {
  const whole = report.candidates[0]!;
  return html`<section id="candidates"><h2>Candidates</h2><div class="scroll"><table>
${head([
  ["candidate"],
  ["layers"],
  ["params"],
  ["size", "MB"],
  [report.metric.name],
  ["lost"],
  ["median", `ms/${report.metric.step}`],
  ["95 %", `ms/${report.metric.step}`],
  ["prompt", "tokens/s"],
  ["memory", "MB"],
  ["parity", "", true],
  ["front"],
  ["note", "", true],
])}
<tbody>${report.candidates.map((c) => row(c, whole, c.name === report.chosen))}</tbody></table></div>
<p class="soft">Each was measured in a process of its own; memory is what that process grew by. A dot
marks those that no other beats in size, time and quality together. Parity is of the graph with the
dense model that it is a form of. One that fails computes
something else than its model does, and is never shipped as the default.
Sizes are of the decoding graph's file, in 10\u2076
bytes.</p></section>`;
};
