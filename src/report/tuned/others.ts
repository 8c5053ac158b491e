/** Numbers, searches, answers and preferences: what was said, and where it is furthest off. */
import { count, fixed, percent, short, signed } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { againstChart } from "../../render/relation.ts";
import { section } from "../data/sections.ts";
import type { Said } from "./model.ts";
import { excerpt, most, recordList, textsHtml } from "./parts.ts";

type Kind<K extends Said["kind"]> = Extract<Said, { kind: K }>;

/** Records that are listed. */
const LISTED = 12;

/** Places in the order of the values, equal ones sharing their mean, from 0 to 1. */
const ranks = (values: readonly number[]): number[] => {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const out = new Array<number>(values.length).fill(0);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]!] === values[order[from]!]) to++;
    for (let i = from; i <= to; i++) out[order[i]!] = (from + to) / 2 / Math.max(1, values.length - 1);
    from = to + 1;
  }
  return out;
};

/** The sections of numbers, whose scale may be another than that of what is right. */
export const numberSections = ({ what, all }: Kind<"numbers">): readonly Html[] => {
  const points = all.map(({ right, said }) => [right, said] as const);
  const [right, said] = [ranks(points.map(([a]) => a)), ranks(points.map(([, b]) => b))];
  const off = all.map((each, i) => ({ ...each, off: Math.abs(right[i]! - said[i]!), i }));
  const items = most(off, (each) => each.off, LISTED).map(({ id, texts, right: a, said: b, i }) => ({
    ...{ id, body: textsHtml(texts) },
    about: html`it is <b class="good">${short(a)}</b>, said <b class="bad">${short(b)}</b>; in order
${percent(right[i]!)} and ${percent(said[i]!)} of the way up`,
  }));
  const chart = againstChart(points, { right: "right", said: what });
  return [
    section(
      "against",
      "What is said against what is right",
      html`<div class="panels"><figure>${chart}</figure></div>`,
    ),
    section(
      "errors",
      "Furthest off",
      html`<p class="soft">The records whose place in the order differs most.</p>${recordList(items)}`,
    ),
  ];
};

/** The sections of texts that look for others. */
export const searchSections = ({ all }: Kind<"searches">): readonly Html[] => {
  const first = all.filter(({ score }) => score === 1).length;
  const missed = all.filter(({ score }) => score < 1);
  const items = missed
    .toSorted((a, b) => a.score - b.score)
    .slice(0, LISTED)
    .map(({ id, text, right, found, score }) => ({
      ...{ id, body: textsHtml([text]) },
      about: html`it belongs to <b class="good">${excerpt(right[0] ?? "")}</b>, which stands
${score > 0 ? `in place ${Math.round(1 / score)}` : "far behind"}; nearest is
<b class="bad">${excerpt(found[0] ?? "")}</b>`,
    }));
  return [
    section(
      "errors",
      "Worst searches",
      html`<p class="soft">${count(first)} of ${count(all.length)} texts find one that belongs to them
in the first place.</p>${missed.length > 0 && recordList(items)}`,
    ),
  ];
};

/** The section of what the model writes. */
export const answerSections = ({ all }: Kind<"answers">): readonly Html[] => [
  section(
    "samples",
    "Samples",
    all.length === 0
      ? html`<p>None were made.</p>`
      : html`${all.slice(0, LISTED).map(
          ({ id, prompt, right, said }) => html`<figure><figcaption>${id}</figcaption>
<pre><span class="prompt">${prompt}</span>
${said}</pre><p class="soft">in the record: ${excerpt(right)}</p></figure>`,
        )}`,
  ),
];

/** The sections of preferences: the answers that gained where they should have lost, most first. */
export const preferenceSections = ({ all }: Kind<"preferences">): readonly Html[] => {
  const off = all.map((each) => ({ ...each, gain: each.good === false ? -each.margin : each.margin }));
  const wrong = off.filter(({ gain }) => gain < 0);
  const items = wrong
    .toSorted((a, b) => a.gain - b.gain)
    .slice(0, LISTED)
    .map(({ id, texts, margin, good }) => ({
      ...{ id, body: textsHtml(texts) },
      about:
        good === undefined
          ? html`the preferred answer is <b class="bad">${fixed(-margin, 3)}</b> behind`
          : html`a ${good ? "good" : "bad"} answer gained <b class="bad">${signed(margin, 3)}</b>`,
    }));
  return [
    section(
      "errors",
      "Against the preference",
      wrong.length === 0
        ? html`<p>None of ${count(all.length)} records.</p>`
        : html`<p class="soft">${count(wrong.length)} of ${count(all.length)} records went the other way, in
units of beta times nats.</p>${recordList(items)}`,
    ),
  ];
};
