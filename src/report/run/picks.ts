/** The part of the report and of the card that names candidates: smallest, fastest, best, and the chosen. */
import type { Measured } from "../../metrics/metric.ts";
import { type Html, html } from "../../render/html.ts";
import { inline, table } from "../../render/markdown.ts";
import { type Figure, figureNamed, LOST, writtenValue } from "../../search/figures.ts";
import { type Difference, differenceText } from "../../search/picks/difference.ts";
import {
  type Against,
  comparedFigures,
  type NamedPick,
  picksOf,
  tradeText,
} from "../../search/picks/picks.ts";
import type { Report, ReportCandidate } from "./model.ts";

/** The picks of a report: with what was known of pairs where that was told. */
export const picksIn = (report: Report): readonly NamedPick<ReportCandidate>[] =>
  report.picks ?? picksOf(report);

/** The task's own figure, and what picks are compared in. */
const shownIn = ({ figures, budget }: Report): readonly Figure[] => [
  ...new Set([figures[0]!, ...comparedFigures(figures, budget).filter(({ name }) => name !== LOST)]),
];

/** Both ends of an interval; "" where there is none. */
const endsText = (figure: Figure, { low, high }: Measured): string =>
  low < high && Number.isFinite(high - low)
    ? `${writtenValue(figure, low)} to ${writtenValue(figure, high)}`
    : "";

const valueCell = (c: ReportCandidate, figure: Figure): Html => {
  const measured = c.figures[figure.name];
  if (measured === undefined) return html`<td>\u2013</td>`;
  const ends = endsText(figure, measured);
  return html`<td>${writtenValue(figure, measured.value)}${ends !== "" && html`<small>${ends}</small>`}</td>`;
};

/** What of a difference is a loss, and what cannot be told. */
const givenUp = ({ names, differences }: Against, figures: readonly Figure[]): Html => {
  const texts = (standing: Difference["standing"]): string[] =>
    differences
      .filter((each) => each.standing === standing)
      .map((each) => differenceText(each, figureNamed(figures, each.figure)!));
  const [worse, noise] = [texts("worse"), texts("within noise")];
  const all = [...(worse.length === 0 ? ["nothing"] : worse), ...noise].join("; ");
  return html`<li><span class="soft">against the ${names.join(", ")}:</span> ${all}</li>`;
};

const row = ({ names, candidate }: NamedPick<ReportCandidate>, report: Report): Html => html`
<tr class="${names.includes("chosen") ? "chosen" : ""}">
<th scope="row">${names.join(", ")}<small>${candidate.name}</small></th>
${shownIn(report).map((figure) => valueCell(candidate, figure))}</tr>`;

const block = (pick: NamedPick<ReportCandidate>, { figures }: Report): Html => {
  const { names, candidate, exceeded, level, against } = pick;
  return html`<div><h3>${names.join(", ")} <span class="soft">${candidate.name}</span></h3>
<ul class="trades">${against.map((each) => givenUp(each, figures))}
${exceeded.length > 0 && html`<li class="bad">beyond the budget: ${exceeded.join(", ")}</li>`}
${level.length > 0 && html`<li class="soft">not told from ${level.join(", ")}</li>`}</ul></div>`;
};

/** The named candidates, and what each gives up against each other one. */
export const picksSection = (report: Report): Html => {
  const picks = picksIn(report);
  if (picks.length < 2) return html``;
  return html`<section id="picks"><h2>Named picks</h2>
<div class="scroll"><table class="picks"><thead><tr><th scope="col">pick</th>
${shownIn(report).map(({ label, unit }) => html`<th scope="col">${label}<small>${unit}</small></th>`)}
</tr></thead>
<tbody>${picks.map((pick) => row(pick, report))}</tbody></table></div>
<p>What each gives up against the others. Below a value above is its interval, of times that of later
processes; "within noise": the held-out data, or the repeats of a time, do not tell the two apart.</p>
<div class="made">${picks.map((pick) => block(pick, report))}</div></section>`;
};

/** The same for the card, against the shipped one alone. */
export const picksMarkdown = (report: Report): string | undefined => {
  const picks = picksIn(report);
  if (picks.length < 2) return undefined;
  const shown = shownIn(report);
  const rows = picks.map(({ names, candidate, against }) => {
    const beside = against.find((each) => each.names.includes("chosen"));
    return [
      `**${names.join(", ").replace("chosen", "shipped")}**: ${inline(candidate.name)}`,
      ...shown.map((figure) => {
        const measured = candidate.figures[figure.name];
        if (measured === undefined) return "\u2013";
        const ends = endsText(figure, measured);
        return `${writtenValue(figure, measured.value)}${ends === "" ? "" : ` (${ends})`}`;
      }),
      beside === undefined ? "" : inline(tradeText(beside, report.figures)),
    ];
  });
  const heads = shown.map(({ label, unit }) => inline(unit === "" ? label : `${label}, ${unit}`));
  return table(["pick", ...heads, "against the shipped one"], rows);
};
