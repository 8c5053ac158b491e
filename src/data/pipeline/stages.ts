/** Which stages the pipeline has, in their order, as its settings say. */
import { type Banding, type BandingName, bandings } from "../dedup/bands.ts";
import { dedup } from "../dedup/exact.ts";
import { countLines, dropRepeatedLines } from "../dedup/lines.ts";
import { countSubstrings, dropRepeatedSubstrings } from "../dedup/substrings.ts";
import {
  type ContaminationIndex,
  contaminationIndex,
  type EvaluationRecord,
} from "../filter/contamination.ts";
import { type FilterOptions, type FilterParts, filter } from "../filter/filter.ts";
import { loadLanguageDetector } from "../filter/language.ts";
import { type Document, type StageRecorder, stageRecorder } from "../records/document.ts";
import { type RepairOptions, repair } from "../text/repair.ts";

/** What the pipeline does between reading and writing; a pure function of these and the text. */
export interface PipelineSettings {
  readonly seed: number;
  readonly repair: Pick<RepairOptions, "form" | "mojibake" | "entities">;
  readonly filter: FilterOptions;
  /** Share of the bytes held out, by whole documents. */
  readonly validationShare: number;
  /** Share of the bytes for a last test; 0: none. */
  readonly testShare: number;
  /** How near-duplicates are found: a published banding, or "off". */
  readonly near: "off" | BandingName;
  /** Numbers in place of the banding's own. */
  readonly banding?: Partial<Banding>;
  /** Which document of a cluster of near-duplicates stays. */
  readonly keep: "first" | "longest" | "best";
  /** Whether paragraphs or lines that earlier documents had are dropped. */
  readonly lines: "off" | "line" | "paragraph";
  /** Least length of a verbatim repetition that is cut, characters; 0: none are. */
  readonly substrings: number;
  /** Share of the bytes that is selected to be like a target; 1: all. */
  readonly likeShare: number;
  /** How sources are mixed; undefined: as they come. */
  readonly mix?: MixSettings;
}

/** How sources are mixed. */
export interface MixSettings {
  /** Share of each source by name; by their sizes and `temperature` where there are none. */
  readonly weights?: Readonly<Record<string, number>>;
  readonly temperature: number;
  /** Most times that a source is repeated. */
  readonly maxEpochs: number;
}

/** The settings that hold unless told. */
export const pipelineDefaults: PipelineSettings = {
  seed: 1,
  repair: {},
  filter: { preset: "none" },
  validationShare: 0.05,
  testShare: 0,
  near: "off",
  keep: "first",
  lines: "paragraph",
  substrings: 0,
  likeShare: 1,
};

/** The names that `near` takes. */
export const nearNames = ["off", ...(Object.keys(bandings) as BandingName[])] as const;

/** One stage of the pipeline: documents in, documents out. */
export interface Stage {
  readonly name: string;
  readonly run: (
    documents: AsyncIterable<Document> | Iterable<Document>,
    record: StageRecorder,
  ) => AsyncGenerator<Document>;
}

/** Readies what the filters need besides their options. */
export const stageParts = async (
  { filter: options }: PipelineSettings,
  evaluation: Iterable<EvaluationRecord> = [],
): Promise<FilterParts> => {
  const index: ContaminationIndex | undefined =
    options.contamination === undefined ? undefined : contaminationIndex(evaluation, options.contamination);
  const detector = options.language === undefined ? undefined : await loadLanguageDetector();
  return { ...(index === undefined ? {} : { index }), ...(detector === undefined ? {} : { detector }) };
};

/** What the filters mask later is not shown before. */
const shown = ({ personal }: FilterOptions): Pick<RepairOptions, "personal"> =>
  personal === undefined || personal === false ? {} : { personal: personal === true ? {} : personal };

/** Stages of single documents: what makes a part. */
export const partStages = (settings: PipelineSettings, parts: FilterParts): readonly Stage[] => [
  {
    name: "repair",
    run: (documents, record) => repair(documents, record, { ...settings.repair, ...shown(settings.filter) }),
  },
  { name: "filters", run: (documents, record) => filter(documents, record, { ...settings.filter, parts }) },
];

/** A stage over all documents, that may look at all of them before it begins. */
export interface SharedStage {
  readonly name: string;
  prepare(open: () => AsyncIterable<Document>): Promise<Stage["run"]>;
}

/** Stages over all documents, after duplicates of whole documents are gone. */
export const sharedStages = ({ lines, substrings }: PipelineSettings): readonly SharedStage[] => {
  const stages: SharedStage[] = [];
  if (lines !== "off") {
    stages.push({
      name: "boilerplate",
      prepare: async (open) => {
        const found = await countLines(open(), { scope: lines });
        return (documents, record) => dropRepeatedLines(documents, record, found);
      },
    });
  }
  if (substrings > 0) {
    stages.push({
      name: "verbatim substrings",
      prepare: async (open) => {
        const found = await countSubstrings(open(), { minChars: substrings });
        return (documents, record) => dropRepeatedSubstrings(documents, record, found);
      },
    });
  }
  // Documents that differed in what is gone by now are equal.
  if (stages.length > 0) stages.push({ name: "duplicates of the rest", prepare: async () => dedup });
  return stages;
};

/** Put around each stage's documents, such as to count or to time them. */
export type Wrap = (name: string, documents: AsyncIterable<Document>) => AsyncIterable<Document>;

/** Runs documents through stages; `wrap` sees what comes out of each, to time it. */
export const throughStages = (
  documents: AsyncIterable<Document>,
  stages: readonly Stage[],
  wrap: Wrap = (_, docs) => docs,
) => {
  const records = stages.map(({ name }) => stageRecorder(name));
  const out = stages.reduce(
    (docs, { name, run }, i): AsyncIterable<Document> => wrap(name, run(docs, records[i]!)),
    documents,
  );
  return { documents: out, reports: () => records.map((record) => record.report()) };
};
