/** The parity table of the model card, which stands between markers so that it can be made anew. */
import { fixed, megabytes, NONE, percent, short } from "../../render/figures.ts";
import { visible } from "../../render/html.ts";
import type { DtypeParity, ParityFile, TargetParity } from "./verify.ts";

const BEGIN = "<!-- parity: begin, made by anneal verify -->";
const END = "<!-- parity: end -->";

/** Text in a cell: one line, nothing in it read as markup. */
const cell = (text: string): string =>
  visible(text.replace(/\s+/g, " ")).replace(/[\\`*_[\]<>|&#~]/g, (c) => `\\${c}`);

const columns: readonly (readonly [title: string, of: (p: DtypeParity) => string])[] = [
  ["result", ({ status, instead }) => (status === "failed" && instead ? `failed: use ${instead}` : status)],
  ["largest difference", (p) => short(p.maxLogitDiff)],
  ["cosine", (p) => fixed(p.cosine, 6)],
  ["sentences' cosine", (p) => fixed(p.sentenceCosine, 6)],
  ["same likeliest", (p) => percent(p.topTokenAgreement)],
  ["same first token", (p) => percent(p.firstTokenAgreement)],
  ["same greedy text", (p) => percent(p.greedyAgreement)],
  ["same tokens", (p) => percent(p.tokenizerAgreement)],
  ["load, ms", (p) => short(p.loadMs)],
  ["first result, ms", (p) => short(p.firstTokenMs ?? p.runMs)],
  ["tokens/s", (p) => short(p.tokensPerSec)],
  ["memory, MB", (p) => megabytes(p.memoryBytes)],
];

const titles = ["target", "dtype", ...columns.map(([title]) => title)];

const rowsOf = ([target, found]: [string, TargetParity]): string[][] => {
  const dtypes = Object.entries(found.dtypes);
  if (dtypes.length === 0) return [[target, "", found.status, ...columns.slice(1).map(() => "")]];
  return dtypes.map(([dtype, parity]) => [target, dtype, ...columns.map(([, of]) => of(parity))]);
};

/** How many columns are always there: the target, the dtype, the result. */
const LEADING = 3;

/** Titles and rows of cells. */
export interface ParityTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * A row of text for each target and dtype; targets that were not there have one row that says so. Figures
 * that no dtype has are left out.
 */
export const parityTable = ({ targets: found }: ParityFile): ParityTable => {
  const rows = Object.entries(found).flatMap(rowsOf);
  const kept = titles.map((_, i) => i < LEADING || rows.some((row) => row[i] !== "" && row[i] !== NONE));
  const shown = (row: readonly string[]): string[] => row.filter((_, i) => kept[i]);
  return { titles: shown(titles), rows: rows.map(shown) };
};

/** What each target is, why those that were not checked were not, and what the figures are against. */
export const parityNotes = ({ targets: found, reference }: ParityFile): string[] => {
  const places = Object.entries(found).map(([target, { title = target, engine, device, reason }]) => {
    const where = [title, engine, device];
    const what = where.filter((text) => text !== undefined).join(", ");
    return `${target}: ${what}${reason === undefined ? "" : `; not checked: ${reason}`}`;
  });
  if (reference === undefined) return places;
  return [...places, `there are no dense weights: compared with the graphs of ${reference} on node-cpu`];
};

/** The table in Markdown, with its markers. */
export const parityMarkdown = (file: ParityFile): string => {
  const { titles, rows } = parityTable(file);
  const head = [titles, titles.map((_, i) => (i < LEADING ? "---" : "---:"))];
  const lines = [...head, ...rows.map((row) => row.map(cell))].map((r) => `| ${r.join(" | ")} |`);
  const notes = parityNotes(file).map((note) => `- ${cell(note)}`);
  const machine = `Measured on ${cell(file.machine)}.`;
  return [BEGIN, lines.join("\n"), "", notes.join("\n"), "", machine, END].join("\n");
};

/** `card` with the table in place of an earlier one, or at its end under a heading. */
export const withParity = (card: string, file: ParityFile): string => {
  const table = parityMarkdown(file);
  const [from, to] = [card.indexOf(BEGIN), card.indexOf(END)];
  if (from >= 0 && to > from) return card.slice(0, from) + table + card.slice(to + END.length);
  const before = card === "" ? "" : `${card.replace(/\n*$/, "")}\n\n`;
  return `${before}## Parity\n\n${table}\n`;
};
