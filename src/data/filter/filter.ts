/**
 * The filters of single documents as one stage. In order: contamination by evaluation records, the rules of
 * Gopher, C4 (which also drops lines) and FineWeb, language, personal data. Every rule that a document breaks
 * is told, so that a report can show the victims of each.
 */
import { ConfigError } from "../../util/errors.ts";
import { nameHint } from "../../util/nearest.ts";
import { textHash } from "../dedup/exact.ts";
import type { Document, StageRecorder } from "../records/document.ts";
import { textOfTurns } from "../records/rows.ts";
import { withText } from "../text/cuts.ts";
import { badWordPattern, c4, c4Text } from "./c4.ts";
import {
  type ContaminationIndex,
  type ContaminationOptions,
  checkContamination,
  contaminationIndex,
  cutSpans,
  type EvaluationRecord,
} from "./contamination.ts";
import { fineweb } from "./fineweb.ts";
import { gopherQuality, gopherRepetition } from "./gopher.ts";
import {
  checkLanguage,
  keepsLanguage,
  type Language,
  type LanguageDetector,
  type LanguageOptions,
  loadLanguageDetector,
} from "./language.ts";
import { checkPersonal, maskPersonal, type PersonalOptions } from "./personal.ts";
import { holds, type Rule } from "./rule.ts";
import { type RuleOptions, resolveRules } from "./rules.ts";
import { type TextStats, textStats } from "./textStats.ts";

/** Plain JSON; what is absent is off, but for the rules of the preset "default". */
export interface FilterOptions extends RuleOptions {
  /** The user's list for the rule c4.maxBadWords, which it turns on. */
  readonly badWords?: readonly string[];
  readonly language?: LanguageOptions;
  /** true: all kinds. */
  readonly personal?: PersonalOptions | boolean;
  readonly contamination?: ContaminationOptions;
}

/** What the options need and JSON cannot hold. */
export interface FilterParts {
  readonly detector?: LanguageDetector;
  readonly index?: ContaminationIndex;
}

/** One rule that a document breaks, with the value and its threshold. */
export interface FilterReason {
  /** Name of a rule, "language" or "contamination". */
  readonly rule: string;
  readonly value: number;
  readonly threshold: number;
  /** The language found, or the id of the evaluation record. */
  readonly matched?: string;
  /** The n-gram that is in the record. */
  readonly excerpt?: string;
}

/** A part that went or was replaced, though the document stays. */
export interface Cut {
  readonly rule: string;
  /** Personal data are masked. */
  readonly text: string;
  readonly matched?: string;
}

/** What the filters make of one document. */
export interface Judgement {
  readonly keep: boolean;
  /** What is kept; of a dropped document, what the rules left of it. */
  readonly text: string;
  /** Why it is dropped: every rule that it breaks, the first met first. */
  readonly reasons: readonly FilterReason[];
  readonly cuts: readonly Cut[];
  /** Where languages are judged. */
  readonly language?: Language;
}

const FIELDS = ["preset", "rules", "badWords", "language", "personal", "contamination"];

const checkFields = (options: FilterOptions): void => {
  for (const name of Object.keys(options)) {
    if (FIELDS.includes(name)) continue;
    throw new ConfigError(`there is no option "${name}"`, {
      field: `filter.${name}`,
      hint: nameHint(name, FIELDS),
    });
  }
};

const missing = (field: string, part: string): never => {
  throw new ConfigError(`needs a ${part}`, {
    field: `filter.${field}`,
    hint: "prepare one with loadFilterParts",
  });
};

/** The options, checked and with everything that is the same for all texts made once. */
interface Plan {
  readonly thresholds: ReadonlyMap<string, number>;
  readonly repetition: readonly Rule[];
  readonly fineweb: readonly Rule[];
  readonly usesC4: boolean;
  readonly badWords: RegExp | undefined;
  readonly language: LanguageOptions | undefined;
  readonly personal: PersonalOptions | undefined;
  readonly contamination: Required<ContaminationOptions> | undefined;
}

const planOf = (options: FilterOptions): Plan => {
  checkFields(options);
  const thresholds = resolveRules(options);
  const badWords = badWordPattern(options.badWords ?? []);
  if (
    badWords !== undefined &&
    !thresholds.has("c4.maxBadWords") &&
    options.rules?.["c4.maxBadWords"] !== null
  ) {
    thresholds.set("c4.maxBadWords", 0);
  }
  const personal = options.personal === true ? {} : options.personal || undefined;
  if (personal !== undefined) checkPersonal(personal);
  if (options.language !== undefined) checkLanguage(options.language);
  const on = (rule: { name: string }): boolean => thresholds.has(rule.name);
  return {
    thresholds,
    repetition: [...gopherRepetition, ...gopherQuality].filter(on),
    fineweb: fineweb.filter(on),
    usesC4: c4.some(on),
    badWords,
    language: options.language,
    personal,
    contamination:
      options.contamination === undefined ? undefined : checkContamination(options.contamination),
  };
};

/** What is gathered of one text on its way through the filters. */
interface Progress {
  text: string;
  readonly reasons: FilterReason[];
  readonly cuts: Cut[];
  language?: Language;
}

const measureAll = (rows: readonly Rule[], stats: TextStats, plan: Plan, to: Progress): void => {
  for (const rule of rows) {
    const threshold = plan.thresholds.get(rule.name)!;
    const value = rule.measure(stats);
    if (!holds(rule.bound, value, threshold)) to.reasons.push({ rule: rule.name, value, threshold });
  }
};

const decontaminate = (index: ContaminationIndex, plan: Plan, to: Progress): void => {
  const { minShare, action, window } = plan.contamination!;
  const { hits, spans } = index.find(to.text);
  if (hits.length === 0) return;
  const left = action === "cut" ? cutSpans(to.text, spans, window) : "";
  const rule = "contamination";
  for (const { record, gram, share } of hits) {
    if (left === "")
      to.reasons.push({ rule, value: share, threshold: minShare, matched: record, excerpt: gram });
    else to.cuts.push({ rule, text: gram, matched: record });
  }
  if (left !== "") to.text = left;
};

const applyRules = (plan: Plan, to: Progress): void => {
  let stats = textStats(to.text);
  measureAll(plan.repetition, stats, plan, to);
  if (plan.usesC4) {
    const { text, cuts, broken } = c4Text(to.text, plan.thresholds, plan.badWords);
    for (const cut of cuts) to.cuts.push(cut);
    for (const { rule, value } of broken) {
      to.reasons.push({ rule, value, threshold: plan.thresholds.get(rule)! });
    }
    if (text !== to.text) stats = textStats(text);
    to.text = text;
  }
  measureAll(plan.fineweb, stats, plan, to);
  if (to.text === "" && to.reasons.length === 0) to.reasons.push({ rule: "empty", value: 0, threshold: 1 });
};

const judgeLanguage = (detect: LanguageDetector, options: LanguageOptions, to: Progress): void => {
  const language = detect(to.text);
  to.language = language;
  if (keepsLanguage(language, options)) return;
  const threshold = options.minConfidence ?? 0.5;
  to.reasons.push({ rule: "language", value: language.confidence, threshold, matched: language.code });
};

const maskAll = (personal: PersonalOptions, to: Progress): void => {
  const { text, found } = maskPersonal(to.text, personal);
  to.text = text;
  for (const { kind, example } of found) to.cuts.push({ rule: `personal.${kind}`, text: example });
};

const judgeBy = (plan: Plan, parts: FilterParts, text: string): Judgement => {
  const to: Progress = { text, reasons: [], cuts: [] };
  if (plan.contamination !== undefined) decontaminate(parts.index!, plan, to);
  applyRules(plan, to);
  if (plan.language !== undefined) judgeLanguage(parts.detector!, plan.language, to);
  if (plan.personal !== undefined) maskAll(plan.personal, to);
  return { ...to, keep: to.reasons.length === 0 };
};

/**
 * The judge of `options`: checked once, to be called with each text. Throws a ConfigError for unknown names
 * (with the nearest one), values out of range, and parts that the options need but `parts` lacks.
 */
export const judgeOf = (
  options: FilterOptions = {},
  parts: FilterParts = {},
): ((text: string) => Judgement) => {
  const plan = planOf(options);
  if (plan.language !== undefined && parts.detector === undefined) missing("language", "detector");
  if (plan.contamination !== undefined && parts.index === undefined) missing("contamination", "index");
  return (text) => judgeBy(plan, parts, text);
};

/** Judges one text: whether it stays, what of it, and every rule that it breaks. Errors as of `judgeOf`. */
export const judge = (text: string, options: FilterOptions = {}, parts: FilterParts = {}): Judgement =>
  judgeOf(options, parts)(text);

/** Loads what `options` need: the language detector, the index of the evaluation records. */
export const loadFilterParts = async (
  options: FilterOptions,
  evaluation: Iterable<EvaluationRecord> = [],
): Promise<FilterParts> => ({
  ...(options.language === undefined ? {} : { detector: await loadLanguageDetector() }),
  ...(options.contamination === undefined
    ? {}
    : { index: contaminationIndex(evaluation, options.contamination) }),
});

/** What is looked at of a victim, and how far from its end a value may be that is cut there. */
const WINDOW = 2048;
const EDGE = 640;

/** The beginning of a victim to show: it has nothing in it that is masked in the kept ones. */
const shownPart = (text: string, personal: PersonalOptions | undefined): string => {
  if (personal === undefined) return text.slice(0, WINDOW);
  const masked = maskPersonal(text.slice(0, WINDOW), personal).text;
  return text.length > WINDOW ? masked.slice(0, Math.max(0, masked.length - EDGE)) : masked;
};

/** Text, messages and labels of a document with personal data masked; a label keeps what tells it apart. */
const maskedDocument = (doc: Document, text: string, personal: PersonalOptions | undefined): Document => {
  if (personal === undefined) return text === doc.text ? doc : withText(doc, text);
  const mask = (given: string): string => maskPersonal(given, personal).text;
  const label = (given: string): string =>
    mask(given) === given ? given : `${mask(given)} ${textHash(given).slice(0, 8)}`;
  const turns = doc.turns?.map(({ role, content }) => ({ role: mask(role), content: mask(content) }));
  const { source, group } = doc;
  const made =
    turns !== undefined && textOfTurns(turns) === text ? { ...doc, turns, text } : withText(doc, text);
  return {
    ...made,
    ...(source === undefined ? {} : { source: label(source) }),
    ...(group === undefined ? {} : { group: label(group) }),
  };
};

/** Filters documents; the record counts each rule that drops one, and each part that is cut or masked. */
export async function* filter(
  documents: AsyncIterable<Document> | Iterable<Document>,
  record: StageRecorder,
  options: FilterOptions & { readonly parts?: FilterParts } = {},
): AsyncGenerator<Document> {
  const { parts, ...plain } = options;
  const judgeText = judgeOf(plain, parts ?? (await loadFilterParts(plain)));
  const personal = plain.personal === true ? {} : plain.personal || undefined;
  const shown = (text: string) => (): string => shownPart(text, personal);
  for await (const doc of documents) {
    record.in(doc);
    const { keep, text, reasons, cuts } = judgeText(doc.text);
    for (const cut of cuts) record.drop(cut.rule, { id: doc.id, text: shown(cut.text) }, cut.matched);
    for (const { rule, excerpt, matched, value } of reasons) {
      record.drop(rule, { id: doc.id, text: shown(excerpt ?? doc.text) }, matched, value);
    }
    if (!keep) continue;
    const kept = maskedDocument(doc, text, personal);
    record.out(kept);
    yield kept;
  }
}
