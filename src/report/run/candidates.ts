/** The part of the report that compares the candidates: sentence, pictures, table. */

import { type Ends, scatterChart } from "../../render/chart.ts";
import { count, fixed, megabytes, short, signed } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { boundsOf, mostLost } from "../../search/budget.ts";
import {
  type Figure,
  figureNamed,
  LOST,
  limitWords,
  measuredValue,
  SIZE,
  shownFigures,
  writtenValue,
} from "../../search/figures.ts";
import { paretoFront } from "../../search/pareto.ts";
import { defined } from "../../util/defined.ts";
import type { Report, ReportCandidate } from "./model.ts";

/** Limits of the budget in words: empty where there are none. */
export const limitsOf = ({ budget, figures }: Pick<Report, "budget" | "figures">): string[] =>
  budget.map((limit) => limitWords(limit, figures));

/** The figure that decides, and those of a candidate that a sentence names: megabytes, milliseconds. */
export const toldOf = ({ figures }: Pick<Report, "figures">) => {
  const [criterion] = figures as [Figure];
  const time = figureNamed(figures, "p50Ms")!;
  return {
    criterion,
    time,
    step: time.unit.replace("ms/", ""),
    quality: (c: ReportCandidate): number => measuredValue(c, criterion.name),
    sizeBytes: (c: ReportCandidate): number => measuredValue(c, SIZE),
    ms: (c: ReportCandidate): number => measuredValue(c, time.name),
  };
};

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
const lossAgainst = (report: Report, chosen: ReportCandidate): Html => {
  const whole = report.candidates[0]!;
  const { quality, sizeBytes, ms } = toldOf(report);
  if (chosen === whole) return html`. It is the whole model itself`;
  const more = quality(chosen) - quality(whole);
  if (Math.abs(more) < 5e-5) return html`, the same as the whole model (${whole.name})`;
  return html`, <b>${fixed(Math.abs(more), 4)}</b> ${more > 0 ? "more" : "less"} than the whole model
(${whole.name}: ${megabytes(sizeBytes(whole))} MB, ${short(ms(whole))} ms, ${fixed(quality(whole), 3)})`;
};

/** One sentence of what is shipped, and whether the budget is met. */
export const headline = (report: Report, chosen: ReportCandidate): Html => {
  const { criterion, time, quality, sizeBytes, ms } = toldOf(report);
  return html`<p class="lead-sentence">
Shipped <b>${chosen.name}</b>: <b>${megabytes(sizeBytes(chosen))} MB</b>,
<b>${short(ms(chosen))}</b> ${time.phrase},
<b>${fixed(quality(chosen), 3)}</b> ${criterion.phrase} on held-out
text${lossAgainst(report, chosen)}.</p>
${verdict(report)}`;
};

/** The tightest bound from above on a figure, in its unit; undefined where there is none. */
const mostOf = ({ budget, figures, candidates }: Report, { name, scale }: Figure): number | undefined => {
  const bounds = boundsOf(budget, figures, candidates[0]!)
    .filter(({ figure, most }) => most && figure.name === name)
    .map(({ bound }) => bound / scale);
  return bounds.length === 0 ? undefined : Math.min(...bounds);
};

/** Candidates that are all named in a picture; of more those on its line are, by their numbers. */
const FEW = 12;

/** What stands beside a point: nothing of most where there are many, which the table below names. */
const labelOf = (c: ReportCandidate, { candidates, chosen }: Report, onLine: boolean): string => {
  if (candidates.length <= FEW) return c.name;
  if (c.name === chosen) return c.number === undefined ? c.name : `${c.number} ${c.name}`;
  return onLine || c === candidates[0] ? String(c.number ?? c.name) : "";
};

const endsOf = (c: ReportCandidate, { name, scale }: Figure): Ends | undefined => {
  const measured = c.figures[name];
  return measured === undefined ? undefined : [measured.low / scale, measured.high / scale];
};

/** Where quality lies by what is lost: pairs of the same examples tell two apart that each alone do not. */
const qualityEnds = (c: ReportCandidate, report: Report): Ends | undefined => {
  const lost = c.figures[LOST];
  if (lost === undefined) return undefined;
  const { criterion, quality } = toldOf(report);
  const whole = quality(report.candidates[0]!);
  return criterion.better === "less"
    ? [whole + lost.low, whole + lost.high]
    : [whole - lost.high, whole - lost.low];
};

/** Which figures a picture shows: across, upwards, and as the area of a point. */
interface Shown {
  readonly x: Figure;
  readonly y: Figure;
  readonly area?: Figure;
  readonly xLabel: string;
  readonly yLabel: string;
}

/** What may be at most, or has to be at least, of the figure upwards. */
const limitUp = (report: Report, y: Figure): { readonly limitY?: number; readonly leastY?: boolean } => {
  const { budget, figures, candidates } = report;
  const { criterion, quality } = toldOf(report);
  if (y !== criterion) {
    const limitY = mostOf(report, y);
    return limitY === undefined ? {} : { limitY };
  }
  const most = mostLost(budget, figures, candidates[0]!);
  if (most === undefined) return {};
  const sign = criterion.better === "less" ? 1 : -1;
  return { limitY: quality(candidates[0]!) + sign * most, leastY: sign < 0 };
};

const picture = (report: Report, { x, y, area, xLabel, yLabel }: Shown): Html => {
  const { candidates } = report;
  const { criterion } = toldOf(report);
  const areas = candidates.map((c) => (area === undefined ? 0 : measuredValue(c, area.name) || 0));
  const largest = Math.max(...areas);
  const points = candidates.map((c, i) => ({
    name: c.name,
    x: measuredValue(c, x.name) / x.scale,
    y: measuredValue(c, y.name) / y.scale,
    ...defined({ xEnds: endsOf(c, x), yEnds: y === criterion ? qualityEnds(c, report) : endsOf(c, y) }),
    ...(largest > 0 ? { area: areas[i]! / largest } : {}),
    up: y === criterion ? measuredValue(c, LOST) : measuredValue(c, y.name),
    onFront: c.onFront,
    sound: c.fault === undefined,
    chosen: c.name === report.chosen,
  }));
  const limitX = mostOf(report, x);
  const front = paretoFront(
    points.filter(({ sound }) => sound),
    [(p) => p.x, (p) => p.up],
  );
  const line = new Set(front.map(({ name }) => name));
  return scatterChart({
    ...{ xLabel, yLabel, front },
    points: points.map((p, i) => ({ ...p, label: labelOf(candidates[i]!, report, line.has(p.name)) })),
    ...(limitX === undefined ? {} : { limitX }),
    ...limitUp(report, y),
  });
};

/** Quality, time and size: each two of them in a picture, the third as the area of the points. */
export const paretoSection = (report: Report): Html => {
  const { criterion, time, step } = toldOf(report);
  const size = figureNamed(report.figures, SIZE)!;
  const [mb, ms] = ["size, MB", `median time of a ${step}, ms`];
  const many = report.candidates.length > FEW;
  return html`<section id="pareto"><h2>What each candidate costs</h2>
<p>${criterion.better === "less" ? "Lower left" : "Upper left (in the last picture lower left)"} is better.
The line joins those that no other beats in both figures of the picture; lines through a point are its
interval: of times in which later processes lie, of quality that of what it loses against the first by the
same examples; its area in the first two is the third figure.
Hollow points are beaten in size, time and quality together; the ringed one is shipped.
Red marks what the budget rules out; a limit with an arrow lies beyond the picture.
A triangle at the upper edge lies far above.${many && " Numbers are those of the table below."}</p>
<div class="panels board">
<figure>${picture(report, { x: size, y: criterion, area: time, xLabel: mb, yLabel: criterion.label })}
<figcaption>area: time</figcaption></figure>
<figure>${picture(report, { x: time, y: criterion, area: size, xLabel: ms, yLabel: criterion.label })}
<figcaption>area: size</figcaption></figure>
<figure>${picture(report, { x: size, y: time, xLabel: mb, yLabel: ms })}</figure>
</div></section>`;
};

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

/** What is lost of the task's figure has a sign, and is nothing of the reference. */
const cell = (c: ReportCandidate, figure: Figure, whole: boolean): string => {
  const value = measuredValue(c, figure.name);
  if (figure.name !== LOST) return writtenValue(figure, value);
  return whole ? "\u2013" : signed(value, 4);
};

const row = (c: ReportCandidate, shown: readonly Figure[], report: Report): Html => {
  const chosen = c.name === report.chosen;
  const whole = c === report.candidates[0];
  return html`
<tr class="${chosen ? "chosen" : c.onFront ? "" : "dim"}"><th scope="row">${
    c.number !== undefined && html`<span class="soft">${c.number}</span> `
  }${c.name}</th>
<td>${count(c.layers)}</td><td>${count(c.params)}</td>
${shown.map((figure) => html`<td>${cell(c, figure, whole)}</td>`)}
${parityCell(c)}<td>${c.onFront ? "\u25cf" : ""}</td>
<td class="text">${remarks(c, chosen)}</td></tr>`;
};

/** Every figure of every candidate. */
export const candidatesSection = (report: Report): Html => {
  const shown = shownFigures(report.figures, report.budget);
  return html`<section id="candidates"><h2>Candidates</h2><div class="scroll"><table>
${head([
  ["candidate"],
  ["layers"],
  ["params"],
  ...shown.map(({ name, label, unit }): [string, string] => [label, name === LOST ? "" : unit]),
  ["parity", "", true],
  ["front"],
  ["note", "", true],
])}
<tbody>${report.candidates.map((c) => row(c, shown, report))}</tbody></table></div>
<p class="soft">Each was measured in a process of its own; memory is what that process grew by. A dot
marks those that no other beats in size, time and quality together. Parity is of the graph with the
dense model that it is a form of. One that fails computes
something else than its model does, and is never shipped as the default.
Sizes are of the decoding graph's file, in 10\u2076
bytes.</p></section>`;
};
