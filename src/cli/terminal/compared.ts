/** Prints a comparison of two models: each figure of both, what they differ in, what the limits say. */
import type { Measured } from "../../metrics/metric.ts";
import type { Comparison, JudgedLimit } from "../../recipes/compare/comparison.ts";
import { fixed, short } from "../../render/figures.ts";
import { type Figure, KEPT, LOST, writtenValue } from "../../search/figures.ts";
import { type Difference, marginText } from "../../search/picks/difference.ts";
import { print, printJson, table } from "./terminal.ts";

/** "0.912 [0.894, 0.93]" */
const interval = ({ value, low, high }: Measured, write: (x: number) => string): string =>
  low < high && Number.isFinite(high - low)
    ? `${write(value)} [${write(low)}, ${write(high)}]`
    : write(value);

/** A cost by a ratio, a figure of quality by what the second has more of it. */
const apart = ({ figure, difference: found }: Row): string => {
  if (found === undefined) return "";
  const { difference, ratio } = found;
  if (ratio !== undefined) return `${interval(ratio, short)}x`;
  // What is lost of a figure of which more is better is less of it.
  const value = found.figure === LOST && figure.better === "more" ? -difference.value : difference.value;
  return `${value > 0 ? "+" : ""}${fixed(value, 4)}${marginText(difference, 4)}`;
};

interface Row {
  readonly figure: Figure;
  readonly difference: Difference | undefined;
}

/** The figure that decides stands for what is lost of it, which is told beside it. */
const rowsOf = ({ shown, differences }: Comparison): Row[] => {
  const of = (name: string) => differences.find(({ figure }) => figure === name);
  const rows = shown.filter(({ name }) => name !== LOST);
  return rows.map((figure, i) => ({ figure, difference: of(i === 0 ? LOST : figure.name) }));
};

const titled = ({ label, unit }: Figure): string => [label, unit].join(" ").trim();

/** "12 more records"; of text in blocks, so many times a block. */
const moreText = ({ more, of }: NonNullable<JudgedLimit["needed"]>): string =>
  /\d/.test(of) ? `${more} times ${of} more` : `${more} more ${of}s`;

const limitLine = (judged: JudgedLimit, shown: readonly Figure[]): string => {
  const { limit, figure, measured, bound, share, kept, sure, needed } = judged;
  const scale = share ? 1 : (shown.find(({ name }) => name === figure)?.scale ?? 1);
  const write = (x: number): string => short(x / scale);
  const verdict = kept ? "kept    " : "NOT kept";
  const noise = needed === undefined ? "" : `: about ${moreText(needed)} would tell`;
  const doubt = sure ? "" : `; within noise${noise}`;
  return `  ${verdict}  ${limit}: ${interval(measured, write)} against ${write(bound)}${doubt}`;
};

const predictionLine = ({ predictions }: Comparison): string[] => {
  if (predictions === undefined) return [];
  const { records, differ, onlyFirst, onlySecond } = predictions;
  const right =
    onlyFirst + onlySecond === 0
      ? ""
      : `: the first alone is right on ${onlyFirst}, the second on ${onlySecond}`;
  return [`They predict other things of ${differ} of ${records} records${right}.`];
};

/** The result for people, or one JSON object. */
export const printComparison = (comparison: Comparison, json: boolean): void => {
  if (json) {
    printJson(comparison);
    return;
  }
  const { first, second, shown, limits, measuredOn, pairs, example, turns } = comparison;
  const value = ({ figures }: Comparison["first"], figure: Figure): string => {
    const measured = figures[figure.name];
    return measured === undefined ? "" : interval(measured, (x) => writtenValue(figure, x));
  };
  const timed = turns === 0 ? "" : `; speed in ${turns} turns each`;
  const lines = [
    "",
    table(rowsOf(comparison), [
      { title: "figure", of: ({ figure }) => titled(figure), align: "left" },
      {
        title: "first",
        of: ({ figure }) => (figure.name === KEPT ? "" : value(first, figure)),
        align: "left",
      },
      { title: "second", of: ({ figure }) => value(second, figure), align: "left" },
      { title: "difference", of: apart, align: "left" },
      { title: "", of: ({ difference: d }) => d?.standing ?? "", align: "left" },
    ]),
    "",
    `first: ${first.model} (${first.dtype}); second: ${second.model} (${second.dtype})`,
    `Measured on ${measuredOn}, in ${pairs} pairs of ${example}${timed}.`,
    ...predictionLine(comparison),
    ...(limits.length === 0 ? [] : ["", ...limits.map((each) => limitLine(each, shown))]),
  ];
  print(`${lines.join("\n")}\n`);
};
