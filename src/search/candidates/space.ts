/**
 * The space of candidates: how a model is cut, whether what is left is taught, and in which form it is. A
 * dense model is made by all but its form; forms of one share it.
 */
import type { Model } from "../../models/model.ts";
import { choicesOf, configurations } from "../space/configurations.ts";
import {
  type Categorical,
  type Condition,
  categorical,
  decided,
  keyOf,
  type Space,
  type Values,
} from "../space/space.ts";

import type { FormDtype, FormFormat } from "./formats/format.ts";
import { onnxFormat } from "./formats/onnx.ts";

/** Parameters that say in which form a dense model is. */
export const FORM_PARAMS = ["dtype", "rounding"] as const;

/** How the matrices of 4 bits are rounded, or that 8 bits stay where a limit on size leaves room. */
export type FormRounding = "search" | "gptq" | "fitted";

const ordered = { ordered: true } as const;

/** A model's numbers that say what can be cut. */
export interface Cuttable {
  readonly layers: number;
  /** Whether MLP neurons can be cut. */
  readonly neurons: boolean;
}

/** What can be cut of a model. */
export const cuttableOf = ({ arch, config }: Pick<Model, "arch" | "config">): Cuttable => ({
  layers: arch.cache(config).layers,
  neurons: Object.keys(arch.widths.neurons).length > 0,
});

/** Whether a configuration leaves something out. */
export const isCut = ({ layers, neurons = 1 }: Values, whole: number): boolean =>
  (layers !== undefined && layers !== whole) || neurons !== 1;

/** Whether a configuration's dense model is taught. */
export const isTaught = ({ steps = 0 }: Values): boolean => Number(steps) > 0;

/** What a space is made by. */
export interface CandidateSpaceOptions extends Cuttable {
  /** Updates of a taught model. */
  readonly steps: number;
  /** Layers of the smaller model in a small space. */
  readonly keep?: number;
  /** Whether a limit on size may leave room for more bits. */
  readonly fits: boolean;
  /** The forms that there are; those of graphs unless told. */
  readonly format?: Pick<FormFormat, "usual" | "rounds">;
}

const formsIn = (
  { usual, rounds }: Pick<FormFormat, "usual" | "rounds">,
  roundings: readonly FormRounding[],
  when?: Condition,
): Space => ({
  dtype: categorical(usual, when === undefined ? {} : { when }),
  ...(rounds && roundings.length > 1
    ? { rounding: categorical(roundings, { when: ({ dtype }) => dtype === "q4" }) }
    : {}),
});

/** The model and one with fewer layers, before teaching and after, in every form. */
export const smallSpace = (options: CandidateSpaceOptions): Space => {
  const { layers, steps, keep, fits, format = onnxFormat } = options;
  const fewer = keep ?? Math.max(1, layers >> 1);
  return {
    layers: categorical([...new Set([layers, fewer])]),
    steps: categorical([...new Set([0, steps])], { ...ordered, when: (v) => isCut(v, layers) }),
    // What was cut and not taught is there to show what teaching gains: in float32 alone.
    ...formsIn(format, fits ? ["search", "fitted"] : ["search"], (v) => !isCut(v, layers) || isTaught(v)),
  };
};

/** Shares of the layers that stay: an eighth, which is one of six, where a fourth of the time is allowed. */
const DEPTHS = [1, 3 / 4, 2 / 3, 1 / 2, 1 / 4, 1 / 8];
/** Shares of the neurons that stay: of an MLP less is lost than of whole layers that take as long. */
const NEURONS = [1, 3 / 4, 1 / 2, 3 / 8, 1 / 4];

/** Depths and widths, how layers are chosen, whether what is left is taught; every form, two roundings. */
export const fullSpace = (options: CandidateSpaceOptions): Space => {
  const { layers, neurons, steps, keep, fits, format = onnxFormat } = options;
  const depths = DEPTHS.map((share) => Math.max(1, Math.round(share * layers)));
  const all = [...new Set([...depths, ...(keep === undefined ? [] : [keep])])].sort((a, b) => b - a);
  const some = (v: Values): boolean => v.layers !== layers && Number(v.layers) > 1;
  return {
    layers: categorical(all, ordered),
    layersBy: categorical(["spread", "influence"], { when: some }),
    ...(neurons ? { neurons: categorical(NEURONS, ordered) } : {}),
    steps: categorical([...new Set([0, steps])], { ...ordered, when: (v) => isCut(v, layers) }),
    ...formsIn(format, fits ? ["search", "gptq", "fitted"] : ["search", "gptq"]),
  };
};

const isForm = (name: string): boolean => FORM_PARAMS.some((param) => param === name);

/** A configuration without its form. */
export const baseValues = (values: Values): Values =>
  Object.fromEntries(Object.entries(values).filter(([name]) => !isForm(name)));

/** What tells dense models apart. */
export const baseKey = (values: Values): string => keyOf(baseValues(values));

/** The configurations of a space that share a dense model, in their order. */
export const siblingsIn = (space: Space, values: Values): Values[] => {
  const own = baseValues(values);
  const forms = Object.entries(space).flatMap(([name, param]) => {
    if (!isForm(name)) return [];
    const { when } = param;
    const after = when === undefined ? param : { ...param, when: (v: Values) => when({ ...own, ...v }) };
    return [[name, after] as const];
  });
  if (forms.length === 0) return [own];
  return Array.from(configurations(Object.fromEntries(forms)), (form) => ({ ...own, ...form }));
};

/** The configuration of the model as it is. */
export const startIn = (space: Space, whole: Cuttable): Values => {
  const first = (name: string): string | number | boolean | undefined =>
    (space[name] as Categorical | undefined)?.choices[0];
  const usual: Values = { layers: whole.layers, neurons: 1, dtype: "fp32" };
  const own = Object.entries(space).flatMap(([name, { when }]) => {
    const active = when === undefined || when(usual);
    const value = usual[name] ?? (active ? first(name) : undefined);
    return active && value !== undefined ? [[name, value] as const] : [];
  });
  return Object.fromEntries(own);
};

/** Whether a configuration may be left as it was cut. */
const mayBeUntaught = ({ steps }: Space): boolean =>
  steps !== undefined && choicesOf(steps)?.includes(0) === true;

/** A configuration by some of its values, and for the rest those that a parameter has first. */
const completed = (space: Space, given: Values): Values =>
  decided(space, (name, param) => {
    const [choices, value] = [choicesOf(param), given[name]];
    if (choices === undefined) return value ?? (param as Exclude<typeof param, Categorical>).high;
    return value !== undefined && choices.includes(value) ? value : choices[0]!;
  });

/** A configuration as it is cut, without teaching; undefined where the space has none such. */
export const untaught = (space: Space, values: Values): Values | undefined =>
  mayBeUntaught(space) ? completed(space, { ...values, steps: 0 }) : undefined;

/** The choices of a parameter, as numbers; none where it is absent or a range. */
const numbersIn = (space: Space, name: string): number[] => {
  const param = space[name];
  return ((param === undefined ? undefined : choicesOf(param)) ?? []).map(Number);
};

/** Shares of a layer that are its MLP and its attention, of most families. */
const [MLP, ATTENTION] = [2 / 3, 1 / 3];

/** Cuts of layers and neurons together, taught, by how much of the layers they leave: the most first. */
const taughtCuts = (space: Space, start: Values): Values[] => {
  const steps = numbersIn(space, "steps").filter((value) => value > 0);
  const all = Number(start.layers);
  const some = (name: string, own: number): number[] => {
    const found = numbersIn(space, name);
    return found.length > 0 ? found : [own];
  };
  const [depths, widths] = [some("layers", all), some("neurons", 1)];
  const cuts = depths.flatMap((layers) => widths.map((neurons) => ({ layers, neurons })));
  const left = ({ layers, neurons }: (typeof cuts)[number]): number => layers * (MLP * neurons + ATTENTION);
  if (steps.length === 0) return [];
  return cuts
    .filter((cut) => isCut(cut, all))
    .sort((a, b) => left(b) - left(a))
    .map((cut) => completed(space, { ...start, ...cut, steps: Math.min(...steps) }));
};

/**
 * What a search of few trials begins with: of each way to cut a model, alone and not taught, its values from
 * the mildest on, and then of all ways together, taught. Much is kept by a mild cut, and the first of each
 * that keeps the limits on what it costs tells what the model bears.
 */
export const openings = (space: Space, { layers }: Cuttable): Values[][] => {
  const start: Values = {
    layers,
    neurons: 1,
    layersBy: "influence",
    steps: 0,
    dtype: "fp32",
    rounding: "search",
  };
  const alone = ["neurons", "layers"].flatMap((name) => {
    if (!mayBeUntaught(space)) return [];
    const cuts = numbersIn(space, name).filter((value) => value < Number(start[name]));
    return [cuts.sort((a, b) => b - a).map((value) => completed(space, { ...start, [name]: value }))];
  });
  return [...alone, taughtCuts(space, start)].filter((cuts) => cuts.length > 0);
};

/** The dtype of a configuration: what was cut and not taught is float32. */
export const dtypeIn = ({ dtype = "fp32" }: Values): FormDtype => dtype as FormDtype;

const KNOWN = ["layers", "layersBy", "neurons", "steps", ...FORM_PARAMS];

/** What a dense model is called: "full", "2-layer distilled", "3-layer 75%-neuron pruned lr 0.001". */
export const baseName = (space: Space, values: Values, whole: number): string => {
  const { layers = whole, layersBy, neurons = 1, steps = 0, ...more } = baseValues(values);
  const choices = (name: string): number => {
    const param = space[name];
    return param?.kind === "categorical" ? param.choices.length : Number.POSITIVE_INFINITY;
  };
  const cut = [
    ...(layers === whole ? [] : [`${layers}-layer`]),
    ...(layersBy === "influence" ? ["by-influence"] : []),
    ...(neurons === 1 ? [] : [`${Math.round(100 * Number(neurons))}%-neuron`]),
  ];
  const taught = Number(steps) > 0 ? "distilled" : "pruned";
  // How long is told where that is searched.
  const long = Number(steps) > 0 && choices("steps") > 2 ? [`steps ${steps}`] : [];
  const rest = Object.entries(more).flatMap(([name, value]) => {
    if (KNOWN.includes(name)) return [];
    return [`${name} ${typeof value === "number" ? Number(value.toPrecision(3)) : value}`];
  });
  return [...(cut.length > 0 ? [...cut, taught] : ["full"]), ...long, ...rest].join(" ");
};

/** What a form is called: "full q8", "full fitted q4". */
export const formName = (base: string, values: Values): string => {
  const { rounding = "search" } = values;
  return [base, ...(rounding === "search" ? [] : [rounding]), dtypeIn(values)].join(" ");
};
