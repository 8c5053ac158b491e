/** What the card of a pruned model says of it. */

import { patternInWords, patternOf } from "../../compress/sparsity/pattern.ts";
import { table } from "../../render/markdown.ts";
import type { PrunedForm, PruneReport, PruneState } from "./options.ts";

/** The states of a model, as a table has them. */
export const pruneRows = ({ before, states }: PruneReport): readonly PruneState[] => [
  { name: "whole", ...before },
  ...states,
];

/** A column of the table of states. */
export interface PruneColumn {
  readonly title: string;
  of(form: PrunedForm): string;
}

const packedColumns: readonly PruneColumn[] = [
  { title: "zeros", of: ({ packed }) => `${(100 * (packed?.zeros ?? 0)).toFixed(1)} %` },
  { title: "MB by gzip", of: ({ packed }) => ((packed?.gzipBytes ?? 0) / 1e6).toFixed(2) },
];

/** The columns: sizes that change, and the score. */
export const pruneColumns = (report: PruneReport): readonly PruneColumn[] => {
  const { unit, better, scored } = report;
  const rows = pruneRows(report);
  const differs = (of: (form: PrunedForm) => unknown): boolean => new Set(rows.map(of)).size > 1;
  const sizes: readonly PruneColumn[] = [
    { title: "layers", of: ({ layers }) => String(layers) },
    { title: "heads", of: ({ heads }) => String(heads ?? "") },
    { title: "width", of: ({ width }) => String(width ?? "") },
    { title: "neurons", of: ({ neurons }) => String(neurons) },
    { title: "tokens", of: ({ tokens }) => String(tokens) },
  ];
  return [
    ...sizes.filter(({ of }) => differs(of)),
    ...packedColumns.filter(() => report.before.packed !== undefined),
    { title: "M params", of: ({ params }) => (params / 1e6).toFixed(2) },
    { title: `${unit} (${better} is better), ${scored} held out`, of: ({ score }) => score.toFixed(4) },
  ];
};

const chosenBy = {
  activation: "how strong they are and how strongly they are read",
  taylor: "what their absence changes of the loss, by its gradient",
  magnitude: "the size of their weights",
} as const;

/** A section for the card. */
export const pruneSection = (report: PruneReport): readonly [title: string, text: string] => {
  const { kept, before, after, importance, states } = report;
  const layers =
    kept.length < before.layers
      ? ` Of ${before.layers} layers (from 0) these stayed: ${kept.join(", ")}. ` +
        "The others cost least, one by one, where they were left out."
      : "";
  const units =
    importance === undefined ? "" : ` Neurons and heads that stay were chosen by ${chosenBy[importance]}.`;
  const fitted = states.some(({ name }) => name.endsWith("restored"))
    ? " What is left was fitted by least squares to what the whole model computes."
    : "";
  const tokens =
    after.tokens < before.tokens
      ? ` Of ${before.tokens} tokens ${after.tokens} stayed: ` +
        "those of the text, and what others are written with."
      : "";
  const zeros =
    report.sparse === undefined
      ? ""
      : ` Of each matrix in its layers ${patternInWords(patternOf(report.sparse.pattern))} are 0, ` +
        `chosen by ${report.sparse.method}: the weights' file is smaller where it is compressed (gzip), ` +
        "and neither quicker nor smaller in memory.";
  const columns = pruneColumns(report);
  const rows = pruneRows(report).map((row) => [row.name, ...columns.map(({ of }) => of(row))]);
  const head = ["model", ...columns.map(({ title }) => title)];
  return [
    "## Pruning",
    `The model was cut.${layers}${units}${fitted}${tokens}${zeros}\n\n${table(head, rows)}`,
  ];
};
