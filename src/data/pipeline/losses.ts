/** What the stages of the pipeline took, told where too little is left to go on. */
import type { Reason, StageReport } from "../records/document.ts";

/** Reasons that are told of a stage. */
const MOST = 3;
const EXCERPT = 40;

/** Stages that dropped documents, each with its reasons, the most frequent first. */
const losing = (stages: readonly StageReport[]): StageReport[] =>
  stages
    .filter(({ docsIn, docsOut }) => docsOut < docsIn)
    .map((stage) => ({ ...stage, reasons: stage.reasons.toSorted((a, b) => b.count - a.count) }))
    .sort((a, b) => b.docsIn - b.docsOut - (a.docsIn - a.docsOut));

const reasonText = ({ reason, count, examples }: Reason): string => {
  const excerpt = examples[0]?.excerpt.replaceAll(/\s+/g, " ").slice(0, EXCERPT) ?? "";
  return `${count} by ${reason}${excerpt === "" ? "" : `, such as ${JSON.stringify(excerpt)}`}`;
};

/** "; filters dropped 90 of 100: 90 by gopher.minAlphabeticWords, such as "0 + 0""; empty where none did. */
export const lossText = (stages: readonly StageReport[]): string =>
  losing(stages)
    .map(({ name, docsIn, docsOut, reasons }) => {
      const told = reasons.slice(0, MOST).map(reasonText);
      const more = reasons.length > MOST ? [`and ${reasons.length - MOST} more reasons`] : [];
      return `; ${name} dropped ${docsIn - docsOut} of ${docsIn}: ${[...told, ...more].join("; ")}`;
    })
    .join("");

/** How a loss is undone. */
const remedies: readonly (readonly [RegExp, (reason: string) => string])[] = [
  [
    /^(gopher|c4|fineweb)\./,
    (rule) => `turn the rule off with --threshold ${rule}=off, or all with --rules none`,
  ],
  [/^language$/, () => "name more languages with --languages, or leave it out"],
  [/^contamination$/, () => "leave out --decontaminate, or name other evaluation files"],
  [/^near duplicate$/, () => "turn it off with --near off"],
  [/^only repeated (paragraph|line)s$/, () => "turn it off with --lines off"],
  [/^only repeated substrings$/, () => "turn it off with --substrings 0"],
  [/^field /, () => "fill the field with --missing FIELD=default:VALUE, or leave out its rule"],
];

/** What to do about the most frequent loss; undefined where nothing was dropped, or nothing undoes it. */
export const lossHint = (stages: readonly StageReport[]): string | undefined => {
  for (const { reason } of losing(stages).flatMap(({ reasons }) => reasons)) {
    const remedy = remedies.find(([pattern]) => pattern.test(reason))?.[1];
    if (remedy !== undefined) return remedy(reason);
  }
  return undefined;
};
