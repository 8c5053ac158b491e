/** Labels of whole texts: which are taken for which, class by class, how sure, and where surely wrong. */
import { type Guess, type ReliabilityBin, reliability } from "../../metrics/labels/calibration.ts";
import { confusion } from "../../metrics/labels/confusion.ts";
import { type Outcome, outcomeOf } from "../../metrics/labels/counts.ts";
import { type ClassMeasures, measuredClasses } from "../../metrics/labels/precisionRecall.ts";
import { proportion } from "../../metrics/proportion.ts";
import { count, percent } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { reliabilityChart } from "../../render/relation.ts";
import { section, table } from "../data/sections.ts";
import type { LabelledText, Said, SeverallyLabelledText } from "./model.ts";
import { measuredCell, most, recordList, textsHtml } from "./parts.ts";

/** Classes up to which all are in one table. */
const MATRIX = 24;
/** Confusions, and errors, that are listed. */
const LISTED = 15;
/** Bins of the reliability curve. */
const BINS = 10;

type One = Extract<Said, { kind: "labels" }>;
type Several = Extract<Said, { kind: "several" }>;

/** The place of the greatest number. */
const top = (values: readonly number[]): number =>
  values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);

const matrixRow = (name: string, row: readonly number[], i: number): Html => {
  const total = row.reduce((a, b) => a + b, 0);
  return html`<tr><th scope="row">${name}</th>${row.map((n, j) => {
    const share = total === 0 ? 0 : n / total;
    const kind = i === j ? "hit" : "miss";
    return html`<td class="cell ${n === 0 ? "none" : kind}" style="--share:${share.toFixed(3)}"
 title="${percent(share)} of ${name}">${count(n)}</td>`;
  })}<td>${count(total)}</td></tr>`;
};

/** The most frequent confusions, for more classes than a table can have. */
const confusions = (names: readonly string[], counts: readonly (readonly number[])[]): Html => {
  const pairs = counts.flatMap((row, i) => {
    const total = row.reduce((a, b) => a + b, 0);
    return row.flatMap((n, j) => (i === j || n === 0 ? [] : [{ i, j, n, share: n / total }]));
  });
  const rows = most(pairs, ({ n }) => n, LISTED).map(({ i, j, n, share }) => [
    names[i]!,
    names[j]!,
    count(n),
    percent(share),
  ]);
  return rows.length === 0
    ? html`<p>Nothing was taken for something else.</p>`
    : table(["it is", "taken for", "texts", "of its class"], rows, [1]);
};

/** Which classes are taken for which, of labels by their ids. */
export const confusionSection = (
  names: readonly string[],
  right: readonly number[],
  said: readonly number[],
): Html => {
  const ids = names.map((_, id) => id);
  const { counts } = confusion(said, right, ids);
  const small = names.length <= MATRIX;
  const matrix = html`<p class="soft">A row for each class that is right, a column for each that was said;
the deeper a cell, the larger its share of the row.</p>
<div class="scroll"><table class="matrix"><thead><tr><th scope="col">it is</th>
${names.map((name) => html`<th scope="col">${name}</th>`)}<th scope="col">all</th></tr></thead>
<tbody>${counts.map((row, i) => matrixRow(names[i]!, row, i))}</tbody></table></div>`;
  return section(
    "confusion",
    "What is taken for what",
    html`${small && matrix}${(names.length > 2 || !small) && confusions(names, counts)}`,
  );
};

const classRow = (label: string, c: ClassMeasures): Html[] => [
  html`${label}`,
  measuredCell(c.precision),
  measuredCell(c.recall),
  measuredCell(c.f1),
  html`${count(c.actual)}`,
  html`${count(c.predicted)}`,
];

/** Precision, recall and F1 of each class with intervals. */
export const classesSection = (
  outcomes: readonly Outcome[],
  { title, name, what }: { readonly title: string; readonly name: string; readonly what: string },
): Html => {
  const classes = measuredClasses(outcomes, { resamples: 300 });
  const rows = classes.map((c) => classRow(String(c.label), c));
  return section(
    "classes",
    title,
    html`<p class="soft">95 % intervals below the figures: of few ${what} they are wide.</p>
${table([name, "precision", "recall", "F1", what, "said"], rows)}`,
  );
};

/** A word on the whole, where the records are enough to tell. */
const verdict = (guesses: readonly Guess[], hits: number): string => {
  const sure = guesses.reduce((sum, { confidence }) => sum + confidence, 0) / guesses.length;
  const { value, low, high } = proportion(hits, guesses.length);
  const said = `On average it is ${percent(sure)} sure and ${percent(value)} right`;
  if (sure >= low && sure <= high) return `${said}, which so many records cannot tell apart.`;
  return `${said}: it is too ${sure > value ? "sure of itself" : "cautious"}.`;
};

/** How often guesses are right against how sure they are. */
export const reliabilitySection = (
  guesses: readonly Guess[],
  right: readonly (string | number)[],
  what: string,
): Html => {
  const hits = guesses.filter(({ label }, i) => label === right[i]).length;
  const bins = reliability(guesses, right, { bins: BINS });
  const error = bins.reduce(
    (sum, b: ReliabilityBin) => sum + (b.count / guesses.length) * Math.abs(b.accuracy - b.confidence),
    0,
  );
  return section(
    "reliability",
    "How sure it is",
    html`<p>${verdict(guesses, hits)} The points are off the dashed line by
<b>${error.toFixed(3)}</b> on average (calibration error in ${BINS} bins); larger ones are of
more ${what}.</p>
<div class="panels"><figure>${reliabilityChart(bins)}</figure></div>`,
  );
};

const surest = (names: readonly string[], all: readonly LabelledText[]): Html => {
  const wrong = all
    .map((each) => ({ ...each, said: top(each.probabilities) }))
    .filter(({ said, right }) => said !== right);
  const items = most(wrong, ({ probabilities, said }) => probabilities[said]!, LISTED).map(
    ({ id, texts, right, said, probabilities }) => ({
      ...{ id, body: textsHtml(texts) },
      about: html`it is <b class="good">${names[right]!}</b>, said <b class="bad">${names[said]!}</b>
with ${percent(probabilities[said]!)}${html` (${names[right]!}: ${percent(probabilities[right]!)})`}`,
    }),
  );
  const note = html`<p class="soft">${count(wrong.length)} of ${count(all.length)} texts have another label
than was said. Those of which the model was surest are
worth reading: they are hard, or their label is wrong.</p>`;
  return section(
    "errors",
    "Surest errors",
    wrong.length === 0 ? html`<p>None.</p>` : html`${note}${recordList(items)}`,
  );
};

/** The sections of a classifier of one label. */
export const labelSections = ({ names, all }: One): readonly Html[] => {
  const right = all.map((each) => each.right);
  const said = all.map(({ probabilities }) => top(probabilities));
  const guesses = all.map(({ probabilities }, i) => ({
    label: said[i]!,
    confidence: probabilities[said[i]!]!,
  }));
  const outcomes = all.map((_, i) => outcomeOf(names[said[i]!]!, names[right[i]!]!));
  return [
    confusionSection(names, right, said),
    classesSection(outcomes, { title: "Class by class", name: "class", what: "texts" }),
    surest(names, all),
    reliabilitySection(guesses, right, "texts"),
  ];
};

/** How wrong a label is: the probability of what is not so. */
const wrongness = ({ right, probabilities }: SeverallyLabelledText, k: number): number =>
  right[k] ? 1 - probabilities[k]! : probabilities[k]!;

const severalErrors = ({ names, all }: Several): Html => {
  const wrong = all.flatMap((text) =>
    names.flatMap((name, k) => {
      const off = wrongness(text, k);
      return off > 0.5 ? [{ text, name, k, off }] : [];
    }),
  );
  const items = most(wrong, ({ off }) => off, LISTED).map(({ text, name, k, off }) => ({
    ...{ id: text.id, body: textsHtml(text.texts) },
    about: text.right[k]
      ? html`<b class="bad">${name}</b> is missing; it was ${percent(off)} sure of that`
      : html`<b class="bad">${name}</b> was said with ${percent(off)} and is not so`,
  }));
  return section(
    "errors",
    "Surest errors",
    wrong.length === 0
      ? html`<p>None.</p>`
      : html`<p class="soft">Labels too many and too few.</p>${recordList(items)}`,
  );
};

/** The sections of a classifier of several labels. */
export const severalSections = (said: Several): readonly Html[] => {
  const { names, all } = said;
  const having = (has: (k: number) => boolean): string[] => names.filter((_, k) => has(k));
  const outcomes = all.map(({ right, probabilities }) =>
    outcomeOf(
      having((k) => probabilities[k]! > 0.5),
      having((k) => right[k]!),
    ),
  );
  const guesses = all.flatMap(({ probabilities }) =>
    names.map((_, k) => {
      const yes = probabilities[k]! > 0.5;
      return { label: Number(yes), confidence: yes ? probabilities[k]! : 1 - probabilities[k]! };
    }),
  );
  const right = all.flatMap((each) => names.map((_, k) => Number(each.right[k])));
  return [
    classesSection(outcomes, { title: "Label by label", name: "label", what: "texts" }),
    severalErrors(said),
    reliabilitySection(guesses, right, "decisions"),
  ];
};
