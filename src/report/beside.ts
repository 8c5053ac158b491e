/** Two models on the same records: where they say different things. */
import { count, percent } from "../render/figures.ts";
import { type Html, html } from "../render/html.ts";
import { section } from "./data/sections.ts";

/** What a model said of a record, or what is right: a label, several, a text. */
export type SaidText = string | number | readonly string[];

/** A record on which two differ. */
export interface Differing {
  readonly id: string;
  readonly input: string | readonly string[];
  readonly reference: SaidText;
  readonly first: SaidText;
  readonly second: SaidText;
}

/** What two say of the same records. */
export interface Disagreement {
  readonly records: number;
  /** On how many they differ, and on how many of these one alone is right. */
  readonly differ: number;
  readonly onlyFirst: number;
  readonly onlySecond: number;
  /** The first of those on which they differ. */
  readonly examples: readonly Differing[];
}

const textOf = (said: SaidText): string =>
  typeof said === "object" ? said.join(", ") || "none" : String(said);

const same = (a: SaidText, b: SaidText): boolean => textOf(a) === textOf(b);

const sideOf = (name: string, said: SaidText, right: SaidText): Html =>
  html`<dt>${name}</dt><dd class="${same(said, right) ? "good" : "bad"}">${textOf(said)}</dd>`;

const item = (
  { id, input, reference, first, second }: Differing,
  [one, other]: readonly [string, string],
): Html => html`<li><span class="mono">${[input].flat().join(" \u2016 ")}</span>
<dl class="sides">${sideOf(one, first, reference)}${sideOf(other, second, reference)}
<dt>right</dt><dd>${textOf(reference)}</dd></dl>${id !== "" && html`<span class="from">${id}</span>`}</li>`;

/** Records on which the two named ones differ, with what each says. */
export const besideSection = (found: Disagreement | undefined, names: readonly [string, string]): Html => {
  if (found === undefined) return html``;
  const { records, differ, onlyFirst, onlySecond, examples } = found;
  const share = records === 0 ? "" : ` (${percent(differ / records)})`;
  const judged = onlyFirst + onlySecond > 0;
  return section(
    "beside",
    "Beside the original",
    html`<p>They say different things of ${count(differ)} of ${count(records)} records${share}${
      judged && html`: ${names[0]} alone is right on ${count(onlyFirst)}, ${names[1]} on ${count(onlySecond)}`
    }.</p><ul class="examples">${examples.map((each) => item(each, names))}</ul>`,
  );
};
