/**
 * The head of a card of a model that is made of another, and the card of an export. Front matter as
 * https://huggingface.co/docs/hub/model-cards describes it; JSON's values are YAML's too.
 */

import { headOf } from "../../models/head.ts";
import type { Json, Model } from "../../models/model.ts";
import { countParams } from "../../nn/param.ts";
import { count } from "../../render/figures.ts";
import { fenced, inline, table } from "../../render/markdown.ts";
import { type ExportDtype, exportDtypes } from "../../ship/onnx/dtype.ts";

type Fields = { readonly [field: string]: Json };

/** What the card of the model says that another is made of. */
export interface CardSource {
  /** Its name on the Hub, where it is from there. */
  readonly name?: string;
  /** Its name, else its folder's. */
  readonly title: string;
  /** Front matter. */
  readonly fields: Fields;
  /** What follows it. */
  readonly text: string;
  /** Whether it has a chat template. */
  readonly chats: boolean;
}

const UNCHOSEN = `# "other" is a placeholder: whoever publishes this model chooses its license,
# within what the license of the training text allows.
license: other
license_name: not-chosen-yet`;

/** Figures of the source's own files are not figures of these. */
const NOT_TAKEN = new Set(["model-index", "license", "library_name", "pipeline_tag", "tags", "base_model"]);

/** Words that YAML takes for nothing but a text stand bare, as cards have them. */
const plain = (value: Json): string =>
  typeof value === "string" && /^[a-z]{3,}-[a-z][\w-]*$|^\w+\/\w[\w.-]*$/i.test(value)
    ? value
    : JSON.stringify(value);

const line = (name: string, value: Json): string => `${name}: ${plain(value)}`;

const textsIn = (value: Json | undefined): string[] =>
  (Array.isArray(value) ? value : [value]).filter((x): x is string => typeof x === "string");

/** What the Hub's pages call models of each pipeline: a source's tag stays where it is one of these. */
const TAGS: Readonly<Record<string, readonly string[]>> = {
  "feature-extraction": ["feature-extraction", "sentence-similarity"],
  "text-classification": ["text-classification", "text-ranking", "zero-shot-classification"],
  "token-classification": ["token-classification"],
  "fill-mask": ["fill-mask"],
  "text-generation": ["text-generation"],
  "text2text-generation": ["text2text-generation", "translation", "summarization"],
};
const allTags = new Set(Object.values(TAGS).flat());

/** The source's tag and tags, less those of another task than this model's. */
const taggedAs = (pipeline: string, fields: Fields) => {
  const own: readonly Json[] = TAGS[pipeline] ?? [pipeline];
  const same = fields.pipeline_tag == null || own.includes(fields.pipeline_tag);
  const others = (tag: string) =>
    own.includes(tag) || (!allTags.has(tag) && (same || tag !== "sentence-transformers"));
  return {
    tag: same ? (fields.pipeline_tag ?? pipeline) : pipeline,
    tags: [...new Set(["onnx", pipeline, "anneal", ...textsIn(fields.tags).filter(others)])],
  };
};

/** Front matter: what the source's card says, its licence and name above all, and what this model is. */
export const frontMatter = (
  pipeline: string,
  source?: CardSource,
  library: string = "transformers.js",
): string => {
  const fields = source?.fields ?? {};
  const base = source?.name ?? fields.base_model;
  const { tag, tags } = taggedAs(pipeline, fields);
  const others = Object.entries(fields).filter(([name]) => !NOT_TAKEN.has(name) && /^[\w-]+$/.test(name));
  return [
    "---",
    fields.license == null ? UNCHOSEN : line("license", fields.license),
    ...(base == null ? [] : [line("base_model", base)]),
    `library_name: ${library}`,
    line("pipeline_tag", tag),
    "tags:",
    ...tags.map((one) => `- ${/^[a-z][\w-]*$/i.test(one) ? one : JSON.stringify(one)}`),
    ...others.map(([name, value]) => line(name, value)),
    "---",
  ].join("\n");
};

/** How a model is meant to generate, as generation_config.json says it. */
export const generationSection = (generation: Fields): string =>
  `What generation_config.json says, which readers heed unless told:\n\n${fenced(
    JSON.stringify(generation, null, 2),
    "json",
  )}`;

const pipelines = {
  "causal-lm": "text-generation",
  "seq2seq-lm": "text2text-generation",
  "masked-lm": "fill-mask",
  "replaced-token-detection": "token-classification",
  "sequence-classification": "text-classification",
  "token-classification": "token-classification",
  features: "feature-extraction",
} as const;

/** What transformers.js calls what a model is for. */
export const pipelineOf = ({ arch, config }: Model): string => pipelines[headOf(arch, config)];

/** What the card of an export says. */
export interface ExportCard {
  readonly source: CardSource;
  readonly dtypes: readonly ExportDtype[];
  readonly defaultDtype: ExportDtype;
  readonly generation?: Fields;
  /** Whether the dense weights are there too. */
  readonly weights: boolean;
  /** What else it says, behind the files. */
  readonly sections?: readonly (readonly [title: string, text: string])[];
}

/** What the card of a trained model says. */
export interface TrainedCard {
  /** The checkpoint that training began with; none of a model that began with random weights. */
  readonly source?: CardSource | undefined;
  readonly steps: number;
  /** Held-out loss. */
  readonly valLoss?: number | undefined;
  /** What it is counted in: "nats per token" unless told. */
  readonly unit?: string | undefined;
  /** What held-out records were judged by. */
  readonly figure?: { readonly name: string; readonly value: number } | undefined;
  readonly generation: Fields;
  /** What else it says, behind the summary. */
  readonly sections?: ExportCard["sections"];
}

/** What held-out data says, as a part of a sentence. */
const heldOutText = ({ valLoss, unit = "nats per token", figure }: TrainedCard): string => {
  const loss = valLoss === undefined ? "" : `; its loss on held-out data is ${valLoss.toFixed(3)} ${unit}`;
  return `${loss.trimEnd()}${figure === undefined ? "" : `, its ${figure.name} ${figure.value.toFixed(4)}`}`;
};

/** README.md of a model that was trained and not chosen among others. */
export const trainedCard = (model: Model, card: TrainedCard): string => {
  const { source, steps, generation, sections: own = [] } = card;
  const pipeline = pipelineOf(model);
  const began = source === undefined ? "random weights" : inline(source.title);
  const done = steps === 0 ? "It was not trained" : `It was trained for ${count(steps)} steps`;
  const summary = `${inline(model.config.architectures[0] ?? model.arch.name)} of \
${count(countParams(model.weights))} parameters, begun with ${began}. ${done}${heldOutText(card)}.
It was compared with no other model, and no dtype was chosen by measuring:
\`npx anneal optimize DIR\` does both.`;
  const sections = [
    `# ${inline(source?.title ?? "Model")}\n\n${summary}`,
    ...own.map(([title, text]) => `${title}\n\n${text}`),
    `## Use\n\n${usage(pipeline, "fp32")}`,
    `## Generation\n\n${generationSection(generation)}`,
  ];
  return `${[frontMatter(pipeline, source), ...sections].join("\n\n")}\n`;
};

const HEADING = "## Card of the source";

/** The source's own text; of one that is an export itself, that of its source. */
const originalOf = ({ text }: CardSource): string => {
  const at = text.indexOf(HEADING);
  const own = at < 0 ? text : text.slice(at + HEADING.length);
  return own.replace(/<!-- parity: begin[\s\S]*?<!-- parity: end -->/g, "").trim();
};

const usage = (pipeline: string, dtype: ExportDtype): string =>
  fenced(
    `import { env, pipeline } from "@huggingface/transformers";

env.localModelPath = "/path/to/models"; // the folder that holds this one
env.allowRemoteModels = false;
const run = await pipeline("${pipeline}", "this-folder", { dtype: "${dtype}" });`,
    "js",
  );

/** README.md of an exported folder: what was done and what was not, and what the source says of itself. */
export const exportCard = (model: Model, card: ExportCard): string => {
  const { source, dtypes, defaultDtype, generation, weights, sections: own = [] } = card;
  const pipeline = pipelineOf(model);
  const [what] = model.config.architectures;
  const summary = `${inline(what ?? model.arch.name)} of ${count(countParams(model.weights))} parameters, \
from ${inline(source.title)}, as graphs of ONNX Runtime${weights ? " beside its weights" : ""}. \
Nothing was trained and no dtype was chosen by measuring: \`npx anneal verify DIR\` measures each against the
weights, and writes its table here.`;
  const rows = dtypes.map((dtype) => [
    dtype === defaultDtype ? `**${dtype}** (who asks for none gets it)` : dtype,
    `\`onnx/*${exportDtypes[dtype].suffix}.onnx\``,
  ]);
  const original = originalOf(source);
  const sections: (readonly [title: string, text: string])[] = [
    ["## Files", table(["dtype", "graphs"], rows)],
    ...own,
    ["## Use", usage(pipeline, defaultDtype)],
    ...(generation === undefined ? [] : [["## Generation", generationSection(generation)] as const]),
    ...(original === "" ? [] : [[HEADING, original] as const]),
  ];
  const body = sections.map(([title, text]) => `${title}\n\n${text}\n`).join("\n");
  return `${frontMatter(pipeline, source)}\n\n# ${inline(source.title)}\n\n${summary}\n\n${body}`;
};
