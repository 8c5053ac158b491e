/** The parts of the report about training, data, samples, parity and provenance. */
import type { Example, Reason, StageReport } from "../../data/records/document.ts";
import { lossChart } from "../../render/chart.ts";
import { bytes, count, fixed, percent, short } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import type { DtypeParity } from "../../ship/verify/verify.ts";
import type { Report, ReportCurve } from "./model.ts";

const curve = ({
  name,
  train,
  validation,
}: ReportCurve): Html => html`<figure><figcaption>${name}</figcaption>
${
  train.length + validation.length === 0
    ? html`<p class="soft">No loss was recorded.</p>`
    : lossChart(train, validation)
}</figure>`;

/** Loss over steps of each training run. */
export const curvesSection = ({ curves }: Report): Html => html`<section id="training"><h2>Training</h2>
${
  curves.length === 0
    ? html`<p>Nothing was trained in this run.</p>`
    : html`<p class="soft"><span class="key"></span>training batches &ensp;
<span class="key held"></span>held-out text
&ensp; The axes of the runs differ.</p>
<div class="panels">${curves.map(curve)}</div>`
}</section>`;

const bar = (share: number): Html =>
  html`<span class="bar"><i style="width:${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%"></i></span>`;

const stageRow = (stage: StageReport): Html => {
  const share = stage.bytesIn > 0 ? stage.bytesOut / stage.bytesIn : Number.NaN;
  return html`<tr><th scope="row">${stage.name}</th>
<td>${count(stage.docsIn)}</td><td>${count(stage.docsOut)}</td>
<td>${bytes(stage.bytesIn)}</td><td>${bytes(stage.bytesOut)}</td><td>${percent(share)}</td>
<td>${Number.isFinite(share) && bar(share)}</td></tr>`;
};

const example = ({ id, excerpt, matched }: Example): Html => html`<li><span class="mono">${excerpt}</span>
<span class="from">${id}${matched !== undefined && html` &ensp;repeats ${matched}`}</span></li>`;

const reason = ({ name }: StageReport, { reason: why, count: n, examples }: Reason): Html => html`
<h3>${why}: ${count(n)} <span class="soft">(${name})</span></h3>
<ul class="examples">${examples.map(example)}</ul>`;

/** What each stage of preparation let through and what it dropped. */
export const dataSection = ({ data, tokens }: Report): Html => html`<section id="data"><h2>Data</h2>
<p>${count(tokens.train)} tokens to train on and ${count(tokens.validation)} held out, from a vocabulary of
${count(tokens.vocab)}; ${fixed(tokens.bytesPerToken, 2)} bytes per token.</p>
<div class="scroll"><table><thead><tr><th scope="col">stage</th>
<th scope="col">documents<small>in</small></th>
<th scope="col">documents<small>out</small></th><th scope="col">text<small>in</small></th>
<th scope="col">text<small>out</small></th>
<th scope="col">kept<small>of bytes</small></th><th></th></tr></thead>
<tbody>${data.stages.map(stageRow)}</tbody></table></div>
${data.stages.flatMap((stage) => stage.reasons.map((r) => reason(stage, r)))}</section>`;

/** What the shipped model writes, beside what the start does where that was asked too. */
export const samplesSection = ({ samples }: Report): Html => {
  const prompts = [...new Set(samples.map(({ prompt }) => prompt))];
  return html`<section id="samples"><h2>Samples</h2>
${samples.length === 0 && html`<p>None were made.</p>`}
${prompts.map(
  (prompt) =>
    html`<div class="panels">${samples
      .filter((sample) => sample.prompt === prompt)
      .map(
        ({ name, text }) => html`<figure><figcaption>${name}</figcaption>
<pre><span class="prompt">${prompt}</span>${text}</pre></figure>`,
      )}</div>`,
)}</section>`;
};

const parityRow = ([dtype, p]: [string, DtypeParity]): Html => html`<tr><th scope="row">${dtype}</th>
<td>${short(p.maxLogitDiff)}</td><td>${fixed(p.cosine, 6)}</td><td>${percent(p.topTokenAgreement)}</td>
<td>${percent(p.firstTokenAgreement)}</td><td>${percent(p.greedyAgreement)}</td>
<td class="text">${p.status}${p.reason !== undefined && html`: ${p.reason}`}</td></tr>`;

const measuredOn = (figures: readonly DtypeParity[]): string =>
  figures[0] === undefined
    ? ""
    : ` (${count(figures[0].prompts)} prompts, ${count(figures[0].tokens)} tokens continued)`;

/** How the shipped graphs compare with the graph that was trained. */
export const paritySection = ({ parity, ggufFile }: Report): Html => {
  const where = ggufFile === undefined ? "node-cpu" : "llama.cpp";
  const dtypes = parity.targets[where]?.dtypes ?? {};
  const what = ggufFile === undefined ? "The shipped files" : "The shipped file, in llama.cpp,";
  const bounds =
    ggufFile === undefined
      ? "fp32 has to agree; q8 and q4 are rounded, and pass where direction and likeliest tokens stay."
      : "A kind of few bits passes where direction, likeliest tokens and the tokenizer's tokens stay.";
  return html`<section id="parity"><h2>Parity</h2>
<p>${what} against the graph that was trained, in float32, on held-out
text${measuredOn(Object.values(dtypes))}.
${bounds}</p>
<div class="scroll"><table><thead><tr><th scope="col">dtype</th>
<th scope="col">largest logit<small>difference</small></th>
<th scope="col">cosine</th><th scope="col">same likeliest<small>token</small></th>
<th scope="col">same first<small>token</small></th>
<th scope="col">same greedy<small>continuation</small></th>
<th scope="col" class="text">result</th></tr></thead>
<tbody>${Object.entries(dtypes).map(parityRow)}</tbody></table></div></section>`;
};

/** Remarks that the figures call for. */
export const notesSection = ({ notes }: Report): Html =>
  notes.length === 0
    ? html``
    : html`<section id="notes"><h2>Notes</h2>
<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul></section>`;

/** What made the folder, to make it again. */
export const provenanceSection = ({
  provenance: p,
}: Report): Html => html`<section id="provenance"><h2>Provenance</h2>
<pre>${p.command}</pre>
<dl><dt>made by</dt><dd>${p.createdBy}</dd><dt>seed</dt><dd>${p.seed}</dd>
<dt>machine</dt><dd>${p.machine}</dd>
${Object.entries(p.versions).map(([name, version]) => html`<dt>${name}</dt><dd>${version}</dd>`)}</dl>
<h3>SHA-256</h3>
<dl>
${Object.entries(p.hashes).map(([file, hash]) => html`<dt>${file}</dt><dd><code>${hash}</code></dd>`)}</dl>
</section>`;
