/** What the sections about predictions share. */
import type { Measured } from "../../metrics/metric.ts";
import { fixed } from "../../render/figures.ts";
import { type Content, type Html, html } from "../../render/html.ts";

/** Characters of a text that are shown. */
const SHOWN = 400;

/** A text on one line, without its end where it is long. */
export const excerpt = (text: string): string => {
  const flat = text.replace(/\s+/g, " ").trim();
  return flat.length <= SHOWN ? flat : `${flat.slice(0, SHOWN).trimEnd()} …`;
};

/** The texts of a record. */
export const textsHtml = (texts: readonly string[]): Html =>
  html`${texts.map((text) => html`<span class="mono">${excerpt(text)}</span>`)}`;

/** A figure with its interval below it. */
export const measuredCell = ({ value, low, high }: Measured, digits = 3): Html => {
  const known = Number.isFinite(low) && Number.isFinite(high) && low < high;
  const ends = `${fixed(low, digits)} to ${fixed(high, digits)}`;
  return html`${fixed(value, digits)}${known && html`<small>${ends}</small>`}`;
};

/** A list of records, each with what is to be said of it. */
export const recordList = (
  items: readonly { readonly id: string; readonly body: Content; readonly about: Content }[],
): Html =>
  html`<ol class="examples">${items.map(
    ({ id, body, about }) => html`
<li>${body}<span class="verdict">${about}</span> <span class="from">${id}</span></li>`,
  )}</ol>`;

/** "macroF1" -> "macro F1", "natsPerToken" -> "nats per token". */
export const figureName = (name: string): string =>
  name
    .replace(/^ndcg/, "NDCG")
    .replace(/^mrr$/, "MRR")
    .replace(/^(matthews|pearson|spearman)/, (name) => name[0]!.toUpperCase() + name.slice(1))
    .replace(/([a-z])([A-Z])(?=[a-z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`)
    .replace(/([a-z])([A-Z])/g, "$1 $2");

/** The greatest of some items by a number, greatest first. */
export const most = <T>(items: readonly T[], by: (item: T) => number, count: number): readonly T[] =>
  items.toSorted((a, b) => by(b) - by(a)).slice(0, count);
