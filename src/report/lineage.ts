/** How a model came about, in words: a line for each pass of its history. */
import type { HistoryStep, Json } from "../models/model.ts";
import { plain } from "../render/figures.ts";

/** Most options that a line tells, and most characters of one. */
const [TOLD, LONGEST] = [10, 40];

/** "dropLayers" as "drop layers"; names as AdamW stay. */
const spaced = (name: string): string =>
  name.replace(/([a-z\d])([A-Z])(?=[a-z])/g, (_, before: string, letter: string) => {
    return `${before} ${letter.toLowerCase()}`;
  });

const cut = (text: string): string => (text.length <= LONGEST ? text : `${text.slice(0, LONGEST - 1)}\u2026`);

/** Whether an option says that something is not done. */
const saysNothing = (value: Json | undefined): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === "" ||
  (Array.isArray(value) && value.length === 0);

type Options = { readonly [name: string]: Json };

const isOptions = (value: Json): value is Options =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const valueText = (value: Json): string => {
  if (typeof value === "number") return plain(value);
  if (typeof value === "string") return cut(value);
  if (isOptions(value)) return cut(optionTexts(value).join(", "));
  return Array.isArray(value) ? cut((value as readonly Json[]).map(valueText).join(", ")) : String(value);
};

const optionTexts = (options: Options): string[] =>
  Object.entries(options).flatMap(([name, value]) => {
    if (saysNothing(value)) return [];
    return [value === true ? spaced(name) : `${spaced(name)} ${valueText(value)}`];
  });

/** Passes that were run as one are a line each. */
const stepsOf = (step: HistoryStep): readonly HistoryStep[] => {
  const { name, options } = step;
  if (!name.includes(" | ") || !Array.isArray(options)) return [step];
  return (options as readonly Json[]).flatMap((part) =>
    isOptions(part) && typeof part.name === "string"
      ? [{ name: part.name, options: part.options ?? null }]
      : [],
  );
};

const toldIn = (options: Json): string[] => {
  if (isOptions(options)) return optionTexts(options);
  return saysNothing(options) ? [] : [valueText(options)];
};

const lineOf = ({ name, options }: HistoryStep): string => {
  const told = toldIn(options);
  const more = told.length > TOLD ? [`and ${told.length - TOLD} more`] : [];
  const words = [...told.slice(0, TOLD), ...more].join(", ");
  return words === "" ? spaced(name) : `${spaced(name)} (${words})`;
};

/** "drop layers (keep 2)", "distill (alpha 0.9, steps 300)"; none of a model as it was. */
export const historyLines = (history: readonly HistoryStep[]): string[] =>
  history.flatMap(stepsOf).map(lineOf);
