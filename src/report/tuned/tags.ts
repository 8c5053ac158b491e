/** Tags of words: entity by entity, which tags are taken for which, and where surely wrong. */
import { outcomeOf } from "../../metrics/labels/counts.ts";
import { entitiesOf } from "../../metrics/labels/entities.ts";
import { entityOutcomes } from "../../metrics/labels/entityScores.ts";
import { count, percent } from "../../render/figures.ts";
import { type Html, html } from "../../render/html.ts";
import { section, table } from "../data/sections.ts";
import { classesSection, reliabilitySection } from "./labels.ts";
import type { Said, TaggedText } from "./model.ts";
import { most, recordList } from "./parts.ts";

type Tags = Extract<Said, { kind: "tags" }>;

/** Confusions, and errors, that are listed. */
const LISTED = 15;
/** Words before and behind an error that are shown. */
const AROUND = 12;

const words = (all: Tags["all"]) =>
  all.flatMap((text) =>
    text.words.map((_, i) => ({ text, i, right: text.right[i]!, said: text.said[i]!, sure: text.sure[i]! })),
  );

const confusedTags = (all: Tags["all"]): Html => {
  const counts = new Map<string, { right: string; said: string; n: number; example: string }>();
  for (const { text, i, right, said } of words(all)) {
    if (right === said) continue;
    const key = JSON.stringify([right, said]);
    const known = counts.get(key) ?? { right, said, n: 0, example: text.words[i]! };
    counts.set(key, { ...known, n: known.n + 1 });
  }
  const rows = most([...counts.values()], ({ n }) => n, LISTED).map(({ right, said, n, example }) => [
    right,
    said,
    count(n),
    html`<span class="mono">${example}</span>`,
  ]);
  return section(
    "confusion",
    "What is taken for what",
    rows.length === 0
      ? html`<p>Every word has the tag that it should have.</p>`
      : table(["it is", "taken for", "words", "such as"], rows, [1, 3]),
  );
};

/** A word among those around it. */
const inContext = ({ words: all }: TaggedText, i: number): Html => {
  const from = Math.max(0, i - AROUND);
  const to = Math.min(all.length, i + AROUND + 1);
  const [before, behind] = [all.slice(from, i), all.slice(i + 1, to)].map((some) => some.join(" "));
  const start = `${from > 0 ? "… " : ""}${before}${before === "" ? "" : " "}`;
  const end = `${behind === "" ? "" : " "}${behind}${to < all.length ? " …" : ""}`;
  return html`<span class="mono">${start}<mark>${all[i]!}</mark>${end}</span>`;
};

const surest = (all: Tags["all"]): Html => {
  const every = words(all);
  const wrong = every.filter(({ right, said }) => right !== said);
  const items = most(wrong, ({ sure }) => sure, LISTED).map(({ text, i, right, said, sure }) => ({
    ...{ id: text.id, body: inContext(text, i) },
    about: html`it is <b class="good">${right}</b>, said <b class="bad">${said}</b> with ${percent(sure)}`,
  }));
  const note = html`<p class="soft">${count(wrong.length)} of ${count(every.length)} words have another tag
than was said.</p>`;
  return section(
    "errors",
    "Surest errors",
    wrong.length === 0 ? html`<p>None.</p>` : html`${note}${recordList(items)}`,
  );
};

/** Entities that were missed, made up, or cut otherwise. */
const entitySummary = (all: Tags["all"]): Html => {
  let [found, missed, made] = [0, 0, 0];
  for (const { right, said } of all) {
    const key = ({ type, start, end }: { type: string; start: number; end: number }) =>
      `${type} ${start} ${end}`;
    const [there, given] = [new Set(entitiesOf(right).map(key)), entitiesOf(said).map(key)];
    const hits = given.filter((each) => there.has(each)).length;
    found += hits;
    missed += there.size - hits;
    made += given.length - hits;
  }
  return section(
    "entities",
    "Entities",
    html`<p>${count(found)} of ${count(found + missed)} entities were found, in all their words and with their
type. Said besides: ${count(made)}, which are none, or have other ends or another type.</p>`,
  );
};

/** The sections of a model that labels words. */
export const tagSections = ({ entities, all }: Tags): readonly Html[] => {
  const [said, right] = [all.map((each) => each.said), all.map((each) => each.right)];
  const outcomes = entities
    ? entityOutcomes(said, right)
    : said.flat().map((tag, i) => outcomeOf(tag, right.flat()[i]!));
  const guesses = words(all).map((word) => ({ label: word.said, confidence: word.sure }));
  return [
    ...(entities ? [entitySummary(all)] : []),
    ...(outcomes.some(({ predicted, actual }) => predicted.length + actual.length > 0)
      ? [
          classesSection(
            outcomes,
            entities
              ? { title: "Type by type", name: "type", what: "entities" }
              : { title: "Tag by tag", name: "tag", what: "words" },
          ),
        ]
      : []),
    confusedTags(all),
    surest(all),
    reliabilitySection(guesses, right.flat(), "words"),
  ];
};
