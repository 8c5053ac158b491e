/** What the card of a distilled model says of it. */
import { table } from "../../render/markdown.ts";
import type { DistillReport, StudentForm } from "./options.ts";

/** The states of teacher and student, as a table has them. */
export const distillRows = ({
  teacher,
  before,
  after,
}: DistillReport): (readonly [string, StudentForm])[] => [
  ["teacher", teacher],
  ["student before", before],
  ["student after", after],
];

/** A section for the card: which student, taught how, what it came to. */
export const distillSection = (
  report: DistillReport,
  { teacher, how }: { readonly teacher: string; readonly how: string },
): readonly [title: string, text: string] => {
  const { unit, better, scored, from, steps } = report;
  const head = ["model", "layers", "M params", `${unit} (${better} is better), ${scored} held out`];
  const rows = distillRows(report).map(([name, { layers, params, score }]) => [
    ...[name, String(layers), (params / 1e6).toFixed(2), score.toFixed(4)],
  ]);
  const said = `The student (${from}) learnt from \`${teacher}\` in ${steps} updates: ${how}.`;
  return ["## Distillation", `${said}\n\n${table(head, rows)}`];
};
