/** The data report's parts about the stages: headline, funnel, table, histograms, and what was dropped. */

import type { LengthHistogram } from "../../data/pipeline/histogram.ts";
import type { Example, Reason, StageReport } from "../../data/records/document.ts";
import { bytes, count, percent } from "../../render/figures.ts";
import { type Content, type Html, html } from "../../render/html.ts";
import { barChart, type FunnelRow, funnelChart, histogramChart } from "./charts.ts";
import type { DataPipelineReport, PipelineStage, SplitPart } from "./model.ts";

/** A section with its heading; nothing where there is no content. */
export const section = (id: string, title: string, content: Content): Html => html`
<section id="${id}"><h2>${title}</h2>
${content}</section>`;

/** A table; cells of the first column are row headings, and those of the columns `text` hold words. */
export const table = (
  head: readonly Content[],
  rows: readonly (readonly Content[])[],
  text: readonly number[] = [],
): Html => {
  const kind = (column: number): Content => text.includes(column) && { html: ' class="text"' };
  return html`
<div class="scroll"><table><thead><tr>${head.map(
    (cell, i) => html`<th scope="col"${kind(i)}>${cell}</th>`,
  )}</tr></thead>
<tbody>${rows.map(
    ([first, ...rest]) => html`<tr><th scope="row">${first}</th>
${rest.map((cell, i) => html`<td${kind(i + 1)}>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
};

/** A bar as long as a share of its whole. */
export const shareBar = (share: number): Html => {
  const width = Number.isFinite(share) ? 100 * Math.min(1, Math.max(0, share)) : 0;
  return html`<span class="bar"><i style="width:${width.toFixed(1)}%"></i></span>`;
};

/** Documents, bytes and tokens at the ends of the pipeline. */
export const totalsOf = ({ stages, splits }: DataPipelineReport) => {
  const [first, last] = [stages[0], stages.at(-1)];
  const tokens = splits.some((part) => part.tokens !== undefined)
    ? splits.reduce((sum, part) => sum + (part.tokens ?? 0), 0)
    : last?.tokensOut;
  return {
    docsIn: first?.docsIn ?? 0,
    docsOut: last?.docsOut ?? 0,
    bytesIn: first?.bytesIn ?? 0,
    bytesOut: last?.bytesOut ?? 0,
    tokens,
  };
};

const lossOf = ({ bytesIn, bytesOut }: StageReport): number => bytesIn - bytesOut;

const largestLoss = (stages: readonly PipelineStage[]): PipelineStage | undefined =>
  stages.reduce<PipelineStage | undefined>(
    (most, stage) => (lossOf(stage) > (most === undefined ? 0 : lossOf(most)) ? stage : most),
    undefined,
  );

const tile = (name: string, value: Content, note: Content): Html =>
  html`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`;

const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : Number.NaN);

const splitTile = ({ name, documents, bytes: size, tokens }: SplitPart): Html =>
  tokens === undefined
    ? tile(name, bytes(size), `${count(documents)} documents`)
    : tile(name, count(tokens), `tokens in ${count(documents)} documents`);

const contaminatedTile = ({ contamination }: DataPipelineReport): Content => {
  const hits = contamination.reduce((sum, hit) => sum + hit.hits, 0);
  return contamination.length > 0 && tile("contaminated", count(hits), "passages of evaluation files");
};

const tiles = (report: DataPipelineReport): Html => {
  const { docsIn, docsOut, bytesIn, bytesOut } = totalsOf(report);
  const { clusters: c, splits } = report;
  return html`<dl class="tiles">
${tile("documents kept", percent(ratio(docsOut, docsIn)), `${count(docsOut)} of ${count(docsIn)}`)}
${tile("text kept", percent(ratio(bytesOut, bytesIn)), `${bytes(bytesOut)} of ${bytes(bytesIn)}`)}
${c && tile("near-duplicates", count(c.documents - c.clusters), `in ${count(c.clusters)} clusters`)}
${contaminatedTile(report)}
${splits.map(splitTile)}</dl>`;
};

const unbroken = (text: string): string => text.replaceAll(" ", "\u00a0");

/** One sentence of what is left, and the figures that matter most. */
export const dataHeadline = (report: DataPipelineReport): Html => {
  const { docsIn, docsOut, bytesIn, bytesOut, tokens } = totalsOf(report);
  const worst = largestLoss(report.stages);
  return html`<p class="lead-sentence">Kept <b>${count(docsOut)}</b> of ${count(docsIn)} documents,
<b>${bytes(bytesOut)}</b> of ${unbroken(bytes(bytesIn))}${
    tokens !== undefined && html`: <b>${count(tokens)}</b> tokens`
  }.</p>
<p>${
    worst === undefined
      ? "No stage took anything away."
      : html`Most went in the stage "${worst.name}": ${bytes(lossOf(worst))},
${percent(ratio(lossOf(worst), bytesIn))} of all that was read.`
  }</p>
${tiles(report)}`;
};

const funnelRows = (stages: readonly PipelineStage[]): FunnelRow[] => {
  const row = (name: string, documents: number, size: number, tokens: number | undefined): FunnelRow => ({
    name,
    documents,
    bytes: size,
    ...(tokens === undefined ? {} : { tokens }),
  });
  const first = stages[0];
  if (first === undefined) return [];
  return [
    row("read", first.docsIn, first.bytesIn, first.tokensIn),
    ...stages.map((s) => row(s.name, s.docsOut, s.bytesOut, s.tokensOut)),
  ];
};

const stageRow = (stage: PipelineStage, withTokens: boolean): Content[] => {
  const share = stage.bytesIn > 0 ? stage.bytesOut / stage.bytesIn : Number.NaN;
  return [
    stage.name,
    count(stage.docsIn),
    count(stage.docsOut),
    bytes(stage.bytesIn),
    bytes(stage.bytesOut),
    ...(withTokens ? [count(stage.tokensIn), count(stage.tokensOut)] : []),
    percent(share),
    Number.isFinite(share) && shareBar(share),
  ];
};

/** What each stage let through, as a picture and as a table. */
export const stagesSection = ({ stages }: DataPipelineReport): Html => {
  if (stages.length === 0) return section("stages", "Stages", html`<p>No stage was run.</p>`);
  const withTokens = stages.some((s) => s.tokensIn !== undefined || s.tokensOut !== undefined);
  const small = (name: string, note: string): Html => html`${name}<small>${note}</small>`;
  const head = [
    "stage",
    small("documents", "in"),
    small("documents", "out"),
    small("text", "in"),
    small("text", "out"),
    ...(withTokens ? [small("tokens", "in"), small("tokens", "out")] : []),
    small("kept", "of bytes"),
    "",
  ];
  return section(
    "stages",
    "What each stage let through",
    html`<figure class="funnel">${funnelChart(funnelRows(stages))}</figure>
${table(
  head,
  stages.map((stage) => stageRow(stage, withTokens)),
)}`,
  );
};

const histogramFigure = (histogram: LengthHistogram): Html => {
  const at = (q: number): string => count(histogram.quantiles.find((entry) => entry.q === q)?.value);
  return html`<figure><figcaption>${histogram.name}: median ${at(0.5)} ${histogram.unit}, nine in ten from
${at(0.05)} to ${at(0.95)}, mean ${count(histogram.mean)}, longest ${count(histogram.max)}</figcaption>
${histogram.bins.length === 0 ? html`<p class="soft">Nothing was counted.</p>` : histogramChart(histogram)}
</figure>`;
};

/** Languages that have a bar of their own. */
const MOST_LANGUAGES = 11;

const languagesFigure = ({ languages }: DataPipelineReport): Content => {
  const sorted = languages.toSorted((a, b) => b.documents - a.documents);
  const total = sorted.reduce((sum, { documents }) => sum + documents, 0);
  const bar = (name: string, documents: number) => ({
    name,
    value: documents,
    text: `${count(documents)} (${percent(total > 0 ? documents / total : Number.NaN)})`,
  });
  const rest = sorted.slice(MOST_LANGUAGES);
  const others = rest.reduce((sum, { documents }) => sum + documents, 0);
  const rows = sorted.slice(0, MOST_LANGUAGES).map((l) => bar(l.language, l.documents));
  const all = rest.length === 0 ? rows : [...rows, bar(`${rest.length} others`, others)];
  return (
    sorted.length > 0 &&
    html`<figure><figcaption>Language: documents of each, as detected</figcaption>
${barChart("documents by language", all)}</figure>`
  );
};

/** Lengths and languages of what is kept. */
export const shapeSection = (report: DataPipelineReport): Html =>
  report.histograms.length + report.languages.length === 0
    ? html``
    : section(
        "shape",
        "Lengths and languages",
        html`<p class="soft"><span class="key held"></span>median &ensp;
<span class="key edge"></span>5 % and 95 % &ensp; Lengths are on a logarithmic axis.</p>
<div class="panels two">${report.histograms.map(histogramFigure)}${languagesFigure(report)}</div>`,
      );

const example = ({ id, excerpt, matched }: Example): Html => html`<li class="gone">
<span class="mono">${excerpt === "" ? html`<i class="soft">no text</i>` : excerpt}</span>
<span class="from">${id}${matched !== undefined && html` &ensp;repeats ${matched}`}</span></li>`;

const reasonDetails = (
  stage: StageReport,
  { reason, count: n, examples }: Reason,
  open: boolean,
): Html => html`
<details${open && { html: " open" }}><summary><span class="number">${count(n)}</span> ${reason}
<span class="soft">(${stage.name})</span></summary>
<ul class="examples">${examples.map(example)}</ul></details>`;

/** Why things were dropped or changed, most frequent first within each stage, with the first few examples. */
export const reasonsSection = ({ stages }: DataPipelineReport): Html => {
  const entries = stages.flatMap((stage) =>
    stage.reasons.toSorted((a, b) => b.count - a.count).map((reason) => ({ stage, reason })),
  );
  return section(
    "dropped",
    "What was dropped or changed, and why",
    entries.length === 0
      ? html`<p>Nothing was.</p>`
      : entries.map(({ stage, reason }, i) => reasonDetails(stage, reason, i < 3)),
  );
};
