/** What the card of a pruned model says of it. */
import { table } from "../../render/markdown.ts";
import type { PrunedForm, PruneReport } from "./options.ts";

/** The states of a model, as a table has them. */
export const pruneRows = ({ before, cut, after }: PruneReport): (readonly [string, PrunedForm])[] => [
  ["whole", before],
  ...(cut === undefined ? [] : [["cut", cut] as const]),
  [cut === undefined ? "cut" : "taught again", after],
];

/** A section for the card. */
export const pruneSection = (report: PruneReport): readonly [title: string, text: string] => {
  const { unit, scored, better, kept, before } = report;
  const layers =
    kept.length < before.layers
      ? ` Of ${before.layers} layers (from 0) these stayed: ${kept.join(", ")}. ` +
        "The others cost least, one by one, where they were left out."
      : "";
  const tokens =
    report.after.tokens < before.tokens
      ? ` Of ${before.tokens} tokens ${report.after.tokens} stayed: ` +
        "those of the text, and what others are written with."
      : "";
  const rows = pruneRows(report).map(([name, form]) => [
    ...[
      name,
      String(form.layers),
      String(form.tokens),
      (form.params / 1e6).toFixed(2),
      form.score.toFixed(4),
    ],
  ]);
  const head = ["model", "layers", "tokens", "M params", `${unit} (${better} is better), ${scored} held out`];
  return ["## Pruning", `The model was cut.${layers}${tokens}\n\n${table(head, rows)}`];
};
