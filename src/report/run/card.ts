/**
 * The model card, README.md of the shipped folder: what the model is, how good, how to run and to remake it.
 * Front matter as https://huggingface.co/docs/hub/model-cards describes it.
 */
import type { Json } from "../../models/model.ts";
import { bytes, count, fixed, megabytes, NONE, short, signed } from "../../render/figures.ts";
import { fenced, inline, table } from "../../render/markdown.ts";
import { LOST, measuredValue, SIZE, shownFigures, writtenValue } from "../../search/figures.ts";
import { dtypes } from "../../ship/onnx/dtype.ts";
import { parityMarkdown } from "../../ship/verify/table.ts";
import { historyLines } from "../lineage.ts";
import { limitsOf, toldOf } from "./candidates.ts";
import { ggufFileOf, ggufUsage } from "./ggufCard.ts";
import { picksMarkdown } from "./picks.ts";
import { chosenOf, type Report, type ReportCandidate } from "./report.ts";
import { type CardSource, frontMatter, generationSection } from "./sourceCard.ts";

/** Whether the budget is met, in a sentence; none where there was no budget. */
const verdict = (report: Report): string[] => {
  const { met, exceeded, rule } = report;
  if (limitsOf(report).length === 0) return [];
  const limits = inline(limitsOf(report).join(", "));
  const outcome = met ? "It meets" : `It exceeds (${inline(exceeded.join("; "))})`;
  return [`${outcome} the budget it was made for: ${limits}. Chosen as the ${inline(rule)}.`];
};

const summary = (report: Report, chosen: ReportCandidate): string => {
  const whole = report.candidates[0]!;
  const { criterion, time: median, quality: of, sizeBytes, ms } = toldOf(report);
  const what = report.ggufFile === undefined ? "The default dtype" : "Its GGUF file";
  const loss = signed(of(chosen) - of(whole), 4);
  const lost = chosen === whole ? "" : ` (${loss} against ${inline(whole.name)})`;
  const time = `takes ${short(ms(chosen))} ${median.phrase} on the machine below`;
  const quality = `measures ${fixed(of(chosen), 3)} ${criterion.phrase} on held-out text${lost}`;
  return [
    `A model of ${count(chosen.params)} parameters in ${count(chosen.layers)} layers.`,
    `${what}, ${chosen.dtype}, is ${megabytes(sizeBytes(chosen))} MB, ${time} and ${quality}.`,
    ...verdict(report),
    "[report.html](report.html) compares it with the other candidates.",
  ].join("\n");
};

/** The forms of the chosen model with their files: of graphs all that are shipped. */
const formsOf = ({ ggufFile: file, candidates }: Report, chosen: ReportCandidate): [string, string][] =>
  file === undefined
    ? Object.entries(dtypes).map(([dtype, own]) => [dtype, `\`${own.file}\``])
    : candidates
        .filter(({ base }) => base === chosen.base)
        .map((candidate) => [candidate.dtype, ggufFileOf(candidate, { chosen, file })]);

/** A row for each shipped dtype; those that were no candidates were not measured. */
const figures = (report: Report, chosen: ReportCandidate): string => {
  const all = shownFigures(report.figures, report.budget).filter(({ name }) => name !== LOST);
  // The size first: it is known of the files.
  const shown = [...all.filter(({ name }) => name === SIZE), ...all.filter(({ name }) => name !== SIZE)];
  const rows = formsOf(report, chosen).map(([dtype, file]) => {
    const c = report.candidates.find((other) => other.base === chosen.base && other.dtype === dtype);
    return [
      dtype === chosen.dtype ? `**${dtype}** (default)` : dtype,
      file,
      ...shown.map((figure) =>
        c === undefined ? NONE : writtenValue(figure, measuredValue(c, figure.name)),
      ),
    ];
  });
  const heads = shown.map(({ label, unit }) => inline(unit === "" ? label : `${label}, ${unit}`));
  return table(["dtype", "file", ...heads], rows);
};

/** How a text is put in, and what comes out, by the pipeline. */
const calls: Readonly<Record<string, string>> = {
  "text-generation": `const [{ generated_text }] = await run("Once", { max_new_tokens: 40, do_sample: true });
console.log(generated_text);`,
  "feature-extraction": `const options = { pooling: "mean", normalize: true };
const vectors = await run(["One text", "Another"], options);
console.log(vectors.dims);`,
  "fill-mask": `console.log(await run(\`The sea is \${run.tokenizer.mask_token} today.\`));`,
};

const call = (pipeline: string): string => calls[pipeline] ?? 'console.log(await run("Once"));';

const node = (
  pipeline: string,
  dtype: string,
): string => `import { env, pipeline } from "@huggingface/transformers";

env.localModelPath = "/path/to/models"; // the folder that holds this one
env.allowRemoteModels = false;
const run = await pipeline("${pipeline}", "this-folder", { dtype: "${dtype}" });
${call(pipeline)}`;

const browser = (pipeline: string, dtype: string): string => `<script type="module">
  import { env, pipeline } from "https://cdn.jsdelivr.net/npm/@huggingface/transformers@4";

  env.allowLocalModels = true;
  env.allowRemoteModels = false;
  env.localModelPath = "/models/"; // this folder is served as /models/this-folder/
  const run = await pipeline("${pipeline}", "this-folder", { dtype: "${dtype}" });
${call(pipeline).replace(/^/gm, "  ")}
</script>`;

const usage = ({ pipeline, ggufFile }: Report, { dtype }: ReportCandidate): string => {
  if (ggufFile !== undefined) return ggufUsage(ggufFile);
  const writes = /generation/.test(pipeline);
  const shell = `With anneal, from a shell:\n\n${fenced("npx anneal generate DIR", "sh")}`;
  return `With [transformers.js](https://huggingface.co/docs/transformers.js) in Node:

${fenced(node(pipeline, dtype), "js")}

In a browser:

${fenced(browser(pipeline, dtype), "html")}${writes ? `\n\n${shell}` : ""}`;
};

const training = ({ data, tokens }: Report): string => {
  const rows = data.stages.map((s) => [
    inline(s.name),
    count(s.docsIn),
    count(s.docsOut),
    bytes(s.bytesIn),
    bytes(s.bytesOut),
    s.reasons.map((r) => `${inline(r.reason)}: ${count(r.count)}`).join(", ") || "none",
  ]);
  const stages = table(["stage", "documents in", "out", "text in", "out", "dropped"], rows);
  const held = `${count(tokens.validation)} held out by whole documents`;
  const density = `${fixed(tokens.bytesPerToken, 2)} bytes per token`;
  const vocabulary = `a vocabulary of ${count(tokens.vocab)}`;
  return `${count(tokens.train)} tokens to train on, ${held}; ${vocabulary}, ${density}.

${stages}`;
};

/** The passes that made it, a line each. */
const lineageText = ({ lineage = [] }: ReportCandidate): string => {
  const lines = historyLines(lineage);
  return lines.length === 0 ? "" : `\n\n${lines.map((line, i) => `${i + 1}. ${inline(line)}`).join("\n")}`;
};

const provenance = ({ provenance: p }: Report, chosen: ReportCandidate): string => {
  const versions = Object.entries(p.versions).map(([name, version]) => `${name} ${version}`);
  const hashes = Object.entries(p.hashes).map(([file, hash]) => [`${inline(file)}`, `\`${inline(hash)}\``]);
  return `${fenced(p.command, "sh")}${lineageText(chosen)}

Seed ${p.seed}; ${inline(versions.join(", "))}; measured on ${inline(p.machine)}.

${table(["file", "SHA-256"], hashes, "---")}`;
};

/** What may be expected of a model that was made here of text alone, and of one that began elsewhere. */
const abilities = (source: CardSource | undefined, { pipeline }: Report): string =>
  source === undefined
    ? `- It was trained on the text below alone, for ${pipeline}; it follows no instructions.`
    : `- It began as ${inline(source.title)}: what that was trained on, and for, its own card says; how much
  of it is left was measured on the text below alone.`;

const limits = (report: Report, chosen: ReportCandidate, source?: CardSource): string => `${abilities(
  source,
  report,
)}
- With ${count(chosen.params)} parameters it writes what looks plausible; do not rely on what it says.
- Text beyond \`n_positions\` tokens of config.json does not fit.
- It may repeat passages of its training text; the license of that text bounds what may be done with it.
- Times and memory hold for the machine above; smaller dtypes are not faster everywhere.`;

/** What the card says besides the report. */
export interface CardParts {
  /** The checkpoint that it was made of. */
  readonly source?: CardSource | undefined;
  /** What generation_config.json says. */
  readonly generation?: { readonly [field: string]: Json };
}

/** README.md of the shipped folder. Throws ConfigError where no candidate is the chosen one. */
export const modelCard = (report: Report, { source, generation = {} }: CardParts = {}): string => {
  const chosen = chosenOf(report);
  const picks = picksMarkdown(report);
  const sections: readonly (readonly [title: string, text: string])[] = [
    ["Figures", figures(report, chosen)],
    ...(picks === undefined ? [] : [["Beside other candidates", picks] as const]),
    ["Use", usage(report, chosen)],
    ...(Object.keys(generation).length === 0 ? [] : [["Generation", generationSection(generation)] as const]),
    ["Parity with the trained graph", parityMarkdown(report.parity)],
    ["Training data", training(report)],
    ["How it was made", provenance(report, chosen)],
    ["Limits", limits(report, chosen, source)],
  ];
  const body = sections.map(([title, text]) => `## ${title}\n\n${text}\n`).join("\n");
  const head = frontMatter(report.pipeline, source, report.ggufFile === undefined ? undefined : "gguf");
  return `${head}\n\n# ${inline(chosen.name)}\n\n${summary(report, chosen)}\n\n${body}`;
};
