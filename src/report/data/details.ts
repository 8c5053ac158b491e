/** The data report's parts about duplicates, rules, contamination, selection, mixture, splits, provenance. */

import { bytes, count, fixed, percent, plain, short } from "../../render/figures.ts";
import { type Content, type Html, html } from "../../render/html.ts";
import { barChart } from "./charts.ts";
import type { BeforeAfter, ClusterExample, DataPipelineReport, HashedFile, RuleVictims } from "./model.ts";
import { section, shareBar, table } from "./sections.ts";

const NOTHING = html``;

const cluster = ({ kept, dropped }: ClusterExample): Html => html`<div class="cluster"><ul class="examples">
<li class="kept"><span class="mono">${kept.excerpt}</span>
<span class="from"><span class="tag good">kept</span> ${kept.id}</span></li>
${dropped.map(
  (doc) => html`<li class="gone"><span class="mono">${doc.excerpt}</span>
<span class="from"><span class="tag bad">dropped</span> ${doc.id} &ensp;${percent(doc.similarity)}
similar${doc.matched !== undefined && html` to ${doc.matched}`}</span></li>`,
)}</ul></div>`;

/** Clusters of near-duplicates: how many, how large, and some of them. */
export const clustersSection = ({ clusters }: DataPipelineReport): Html =>
  clusters === undefined
    ? NOTHING
    : section(
        "duplicates",
        "Near-duplicates",
        html`<p>${count(clusters.documents)} documents in ${count(clusters.clusters)} clusters,
one kept of each:
${count(clusters.documents - clusters.clusters)} dropped. Found by ${clusters.method}.</p>
${
  clusters.sizes.length > 0 &&
  html`<div class="panels"><figure><figcaption>Clusters by number of documents</figcaption>
${barChart(
  "clusters by size",
  clusters.sizes.map(({ size, clusters: n }) => ({ name: count(size), value: n, text: count(n) })),
)}</figure></div>`
}
${clusters.examples.map(cluster)}`,
      );

const victims = ({ name, allows, threshold, count: n, examples }: RuleVictims): Content =>
  examples.length > 0 &&
  html`<details><summary><span class="number">${count(n)}</span> ${name}</summary>
<ul class="examples">${examples.map(
    ({ id, excerpt, value }) => html`<li class="gone"><span class="mono">${excerpt}</span>
<span class="from">${id} &ensp;<span class="tag bad">${plain(value)}</span>, allowed is ${allows}
${plain(threshold)}</span></li>`,
  )}</ul></details>`;

/** Every rule with what it measures, and whom it hit. */
export const rulesSection = ({ rules }: DataPipelineReport): Html =>
  rules.length === 0
    ? NOTHING
    : section(
        "rules",
        "Rules",
        html`${table(
          ["rule", "measures", "allowed", "dropped", "from"],
          rules.map((rule) => [
            rule.name,
            rule.measures,
            `${rule.allows} ${plain(rule.threshold)}`,
            count(rule.count),
            rule.source,
          ]),
          [1, 2, 4],
        )}
${rules.toSorted((a, b) => b.count - a.count).map(victims)}`,
      );

/** Evaluation text that was found in the data. */
export const contaminationSection = ({ contamination }: DataPipelineReport): Html =>
  contamination.length === 0
    ? NOTHING
    : section(
        "contamination",
        "Contamination",
        html`${table(
          ["evaluation files", "words in a row", "found in documents"],
          contamination.map((hit) => [hit.file, count(hit.ngram), count(hit.hits)]),
        )}
${contamination.map(
  ({ file, examples }) =>
    examples.length > 0 &&
    html`<h3>${file}</h3><ul class="examples">${examples.map(
      ({ id, excerpt, matched }) => html`<li class="gone"><span class="mono">${excerpt}</span>
<span class="from">${id} &ensp;has ${matched}</span></li>`,
    )}</ul>`,
)}`,
      );

const beforeAfter = (rows: readonly BeforeAfter[]): Content =>
  rows.length > 0 &&
  table(
    ["measure", "pool", "selected"],
    rows.map(({ name, before, after }) => [name, short(before), short(after)]),
  );

/** How much nearer the selection is to its target than the pool was. */
export const selectionSection = ({ selection: s }: DataPipelineReport): Html => {
  if (s === undefined) return NOTHING;
  const reduction = s.klBefore > 0 ? 1 - s.klAfter / s.klBefore : Number.NaN;
  const coverage = s.coverage.map(({ name, before, after }) => [
    name,
    percent(before),
    shareBar(before),
    percent(after),
    shareBar(after),
  ]);
  return section(
    "selection",
    "Selection",
    html`<p>${count(s.selected)} of ${count(s.pool)} documents, chosen to be like ${s.target} by ${s.method}.
The divergence from it is <b>${fixed(s.klAfter, 4)}</b> nats instead of ${fixed(s.klBefore, 4)}:
${reduction >= 0 ? html`${percent(reduction)} less` : html`<span class="bad">not less</span>`}.</p>
${s.coverage.length > 0 && html`<h3>Of the target, covered</h3>`}
${s.coverage.length > 0 && table(["", "pool", "", "selected", ""], coverage)}
${s.diversity.length > 0 && html`<h3>Diversity</h3>`}${beforeAfter(s.diversity)}`,
  );
};

/** What share of the tokens is from where, and how often it is repeated. */
export const mixtureSection = ({ mixture }: DataPipelineReport): Html =>
  mixture.length === 0
    ? NOTHING
    : section(
        "mixture",
        "Mixture",
        table(
          ["source", "documents", "tokens", "share", "", "epochs"],
          mixture.map((part) => [
            part.source,
            count(part.documents),
            count(part.tokens),
            percent(part.weight),
            shareBar(part.weight),
            fixed(part.epochs, 2),
          ]),
        ),
      );

/** The parts for training, validation and test. */
export const splitsSection = ({ splits, tokenizer }: DataPipelineReport): Html => {
  if (splits.length === 0) return NOTHING;
  const total = splits.reduce((sum, part) => sum + part.bytes, 0);
  return section(
    "splits",
    "Splits",
    html`<p>By whole documents; near-duplicates and groups stay on one side.${
      tokenizer !== undefined &&
      html` Tokens of ${tokenizer.name}, a vocabulary of ${count(tokenizer.vocab)}.`
    }</p>
${table(
  ["part", "documents", "text", "tokens", "of the text", ""],
  splits.map((part) => [
    part.name,
    count(part.documents),
    bytes(part.bytes),
    count(part.tokens),
    percent(total > 0 ? part.bytes / total : Number.NaN),
    total > 0 && shareBar(part.bytes / total),
  ]),
)}`,
  );
};

/** Remarks that the figures call for. */
export const dataNotesSection = ({ notes }: DataPipelineReport): Html =>
  notes.length === 0
    ? NOTHING
    : section("notes", "Notes", html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`);

const hashes = (title: string, files: readonly HashedFile[]): Content =>
  files.length > 0 &&
  html`<h3>${title}</h3><dl>${files.map(
    ({ file, bytes: size, sha256 }) => html`<dt>${file} (${bytes(size)})</dt><dd><code>${sha256}</code></dd>`,
  )}</dl>`;

const setting = (value: unknown): string =>
  typeof value === "string" ? value : (JSON.stringify(value) ?? "undefined");

/** What made the folder, to make it again: command, settings, SHA-256 of every file. */
export const dataProvenanceSection = ({ provenance: p }: DataPipelineReport): Html =>
  section(
    "provenance",
    "Provenance",
    html`<pre>${p.command}</pre>
<dl><dt>made by</dt><dd>${p.createdBy}</dd><dt>seed</dt><dd>${p.seed}</dd>
<dt>hash of the settings</dt><dd><code>${p.configHash}</code></dd></dl>
<h3>Settings</h3><dl>${Object.entries(p.config).map(
      ([name, value]) => html`<dt>${name}</dt><dd><code>${setting(value)}</code></dd>`,
    )}</dl>
${hashes("Read (SHA-256)", p.inputs)}${hashes("Written (SHA-256)", p.outputs)}`,
  );
