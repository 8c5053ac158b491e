/**
 * The report of a fine-tuned model as one file of HTML: no script, nothing loaded from elsewhere, and a
 * policy that forbids both, for it shows excerpts of a user's records.
 */
import type { Measured } from "../../metrics/metric.ts";
import { lossChart } from "../../render/chart.ts";
import { fixed, percent } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section, table } from "../data/sections.ts";
import { pageHtml } from "../page.ts";
import { labelSections, severalSections } from "./labels.ts";
import type { Facts, Said, TunedReport } from "./model.ts";
import { answerSections, numberSections, preferenceSections, searchSections } from "./others.ts";
import { figureName, measuredCell } from "./parts.ts";
import { tunedStyle } from "./style.ts";
import { tagSections } from "./tags.ts";

export type * from "./model.ts";

/** What the records' sections are, by what was said of them. */
const saidSections: { readonly [K in Said["kind"]]: (said: Extract<Said, { kind: K }>) => readonly Html[] } =
  {
    labels: labelSections,
    several: severalSections,
    numbers: numberSections,
    tags: tagSections,
    searches: searchSections,
    answers: answerSections,
    preferences: preferenceSections,
  };

const sectionsOf = <K extends Said["kind"]>(said: Extract<Said, { kind: K }>): readonly Html[] =>
  saidSections[said.kind as K](said);

const facts = (all: Facts): Html =>
  html`<dl>${all.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;

const interval = ({ low, high }: Measured): string =>
  low < high && Number.isFinite(high - low) ? ` (${fixed(low, 3)} to ${fixed(high, 3)})` : "";

/** What always saying the most frequent label would reach. */
const baseline = (said: Said | undefined): string => {
  if (said?.kind !== "labels" || said.all.length === 0) return "";
  const counts = said.names.map((_, id) => said.all.filter(({ right }) => right === id).length);
  const most = Math.max(...counts);
  const name = said.names[counts.indexOf(most)]!;
  return `Always saying "${name}" would be right for ${percent(most / said.all.length)}.`;
};

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const headline = ({ figures, measuredOn, task, said }: TunedReport): Html => {
  const [first] = Object.entries(figures);
  const what =
    first === undefined
      ? html`Nothing was measured`
      : html`${capital(figureName(first[0]))} <b>${fixed(first[1].value, 3)}</b>${interval(first[1])}`;
  return html`<p class="lead-sentence">${what} on ${measuredOn}.</p>
<p class="soft">${task}. ${baseline(said)} Intervals hold the figure in 95 of 100 samples of such
records.</p>`;
};

const figuresSection = ({ figures }: TunedReport): Html => {
  const rows = Object.entries(figures).map(([name, measured]) => [
    figureName(name),
    measuredCell(measured, 4),
    String(measured.n),
  ]);
  return section("figures", "Figures", rows.length > 0 && table(["figure", "value", "of"], rows));
};

const trainingSection = ({ curve, training }: TunedReport): Html => {
  if (curve === undefined && training.length === 0) return html``;
  const { train = [], validation = [], figure = [], figureName: name, unit = "nats" } = curve ?? {};
  const drawn = train.length + validation.length > 0;
  const charts = html`<p class="soft"><span class="key"></span>training batches &ensp;
<span class="key held"></span>held-out records</p>
<div class="panels"><figure>${lossChart(train, validation, `loss, ${unit}`)}</figure>
${name !== undefined && figure.length > 1 && html`<figure>${lossChart([], figure, name)}</figure>`}</div>`;
  return section("training", "Training", html`${drawn && charts}${facts(training)}`);
};

/** A self-contained page, light or dark as the reader prefers, the same for the same report. */
export const tunedReportHtml = (report: TunedReport): string => {
  const { said, notes, records, provenance, command } = report;
  const parts = [
    figuresSection(report),
    ...(notes.length > 0
      ? [section("notes", "Notes", html`<ul>${notes.map((note) => html`<li>${note}</li>`)}</ul>`)]
      : []),
    ...(said === undefined || said.all.length === 0 ? [] : sectionsOf(said)),
    trainingSection(report),
    ...(records.length > 0 ? [section("records", "Records", facts(records))] : []),
    section("provenance", "Provenance", html`<pre>${command}</pre>${facts(provenance)}`),
  ];
  return pageHtml({
    title: `${report.title}: ${report.task}`,
    heading: report.title,
    headline: headline(report),
    parts,
    style: tunedStyle,
  });
};
