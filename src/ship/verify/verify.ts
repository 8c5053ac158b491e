/**
 * The parity gate: for each target (a place where the shipped files run) and each dtype, figures and whether
 * they are good enough; a target that was not there is "not checked", never passed.
 */
import type { Trial } from "../../evaluate/parity/trial.ts";
import type { Tolerance } from "../onnx/dtype.ts";
import { type FormName, formNames, toleranceOf } from "./tolerance.ts";

/** How a dtype fared on a target. */
export interface DtypeParity extends Partial<Trial> {
  readonly status: "passed" | "failed" | "not checked";
  /** Why it failed, or was not checked. */
  readonly reason?: string;
  /** Where it failed: the dtype to use on this target instead; absent where none passes. */
  readonly instead?: string;
  /** Name and version of the runtime, until it is the target's. */
  readonly engine?: string;
  /** SHA-256 of the graph's file, in hexadecimal: what the figures are of. */
  readonly sha256?: string;
}

/** How a target's dtypes fared. */
export interface TargetParity {
  /** What it is: "onnxruntime-node on the processor". */
  readonly title?: string;
  readonly status: "passed" | "failed" | "not checked";
  /** Why it was not checked. */
  readonly reason?: string;
  /** How to have it checked. */
  readonly hint?: string;
  /** Name and version of the runtime. */
  readonly engine?: string;
  /** The browser and the WebGPU adapter. */
  readonly device?: string;
  readonly dtypes: Readonly<Record<string, DtypeParity>>;
}

/** The contents of parity.json. */
export interface ParityFile {
  readonly format: 1;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  /** The dtype whose graphs, on node-cpu, the others are compared with; the dense weights where absent. */
  readonly reference?: string;
  /** By the target's name. */
  readonly targets: Readonly<Record<string, TargetParity>>;
}

/** Rounded down, so that what is too small never reads as enough. */
const floored = (value: number, unit: number): number =>
  Math.floor(value / unit + 1e-9) / Math.round(1 / unit);

const tooFar = ({ maxLogitDiff, scale }: Trial, { maxDiff = Number.POSITIVE_INFINITY }: Tolerance) => {
  const most = maxDiff * scale;
  if (maxLogitDiff <= most || maxDiff === Number.POSITIVE_INFINITY) return undefined;
  return `largest difference ${maxLogitDiff.toPrecision(3)}, at most ${most.toPrecision(3)} is allowed`;
};

/** A share of few rows may be too small by chance: two standard errors of the share are allowed for. */
const tooOften = ({ topTokenAgreement: share, rows }: Trial, { top }: Tolerance): string | undefined => {
  if (share === undefined || top === undefined) return undefined;
  const least = top - 2 * Math.sqrt((top * (1 - top)) / rows);
  if (share >= least) return undefined;
  const [found, needed, allowed] = [share, top, least].map((x) => `${floored(100 * x, 0.1)} %`);
  const sample = `${allowed} of only ${rows}`;
  return `likeliest tokens or labels ${found} the same, at least ${needed} is needed (${sample})`;
};

/** What is read otherwise is answered otherwise, however exact the weights are. */
const splitsOtherwise = ({ tokenizerAgreement: share, splitOtherwise: text }: Trial): string | undefined => {
  if (share === undefined || share === 1) return undefined;
  const often = `${floored(100 - 100 * share, 0.1)} % of the texts`;
  return `its tokenizer splits ${often} otherwise, ${JSON.stringify(text)} first`;
};

/**
 * What makes figures fail, in words; undefined where they pass. Written so that NaN fails. Where texts have
 * sentence vectors, which are what a user sees, the bound of the cosine is theirs.
 */
export const faultOf = (figures: Trial, tolerance: Tolerance): string | undefined => {
  const { maxLogitDiff, cosine, sentenceCosine } = figures;
  if (![maxLogitDiff, cosine, sentenceCosine ?? cosine].every(Number.isFinite)) {
    return "it computes numbers that are not finite";
  }
  const found = sentenceCosine ?? cosine;
  if (!(found >= tolerance.cosine)) {
    const what = sentenceCosine === undefined ? "cosine" : "cosine of sentence vectors";
    return `${what} ${floored(found, 1e-6)}, at least ${tolerance.cosine} is needed`;
  }
  return tooFar(figures, tolerance) ?? tooOften(figures, tolerance) ?? splitsOtherwise(figures);
};

/** The figures of a dtype with what its own tolerance makes of them. */
export const judged = (dtype: FormName, trial: Trial): DtypeParity => {
  const fault = faultOf(trial, toleranceOf(dtype));
  return fault === undefined ? { status: "passed", ...trial } : { status: "failed", reason: fault, ...trial };
};

/** A dtype that a folder may use by default. */
export interface Candidate {
  readonly status: DtypeParity["status"];
  /** Size of the graphs' files, bytes. */
  readonly sizeBytes: number;
}

/**
 * The dtype to use instead of `failed`: the smallest of those that pass and are at least as exact by the
 * order of `candidates` (the most exact first), else the most exact that passes.
 */
export const insteadOf = (failed: string, candidates: ReadonlyMap<string, Candidate>): string | undefined => {
  const order = [...candidates];
  const passed = order.filter(([, { status }]) => status === "passed");
  const at = order.findIndex(([dtype]) => dtype === failed);
  const exact = passed.filter((entry) => order.indexOf(entry) < at);
  const smallest = exact.toSorted(([, a], [, b]) => a.sizeBytes - b.sizeBytes)[0];
  return (smallest ?? passed[0])?.[0];
};

/** Each target's dtypes that failed with the one to use instead, given the bytes of each dtype's files. */
export const withInstead = (
  found: ParityFile["targets"],
  sizes: Readonly<Record<string, number>>,
): ParityFile["targets"] => {
  const all = Object.entries(found).map(([target, parity]) => {
    const dtypes = Object.entries(parity.dtypes);
    const candidates = new Map(
      dtypes.map(([dtype, { status }]) => [dtype, { status, sizeBytes: sizes[dtype] ?? 0 }] as const),
    );
    const advised = dtypes.map(([dtype, { instead: _, ...rest }]) => {
      const instead = rest.status === "failed" ? insteadOf(dtype, candidates) : undefined;
      return [dtype, instead === undefined ? rest : { ...rest, instead }] as const;
    });
    return [target, { ...parity, dtypes: Object.fromEntries(advised) }] as const;
  });
  return Object.fromEntries(all);
};

/** What a target's dtypes add up to: failed if one is, passed if one is and none failed. */
export const statusOf = (dtypes: Readonly<Record<string, DtypeParity>>): TargetParity["status"] => {
  const all = Object.values(dtypes).map(({ status }) => status);
  if (all.includes("failed")) return "failed";
  return all.includes("passed") ? "passed" : "not checked";
};

const unasked: TargetParity = {
  status: "not checked",
  reason: "it was not asked for; anneal verify tries it",
  dtypes: {},
};

/** What is known of targets. */
export interface Known {
  /** Each target's title by its name, in order. */
  readonly titles: Readonly<Record<string, string>>;
  /** What was found before. */
  readonly before?: ParityFile["targets"];
}

/** All targets in order: what was found, beside it what is known from before, else that nobody looked. */
export const allTargets = (
  found: ParityFile["targets"],
  { titles, before = {} }: Known,
): ParityFile["targets"] => {
  const all = Object.entries(titles).map(([target, title]): [string, TargetParity] => {
    const [present, past] = [found[target], before[target]];
    if (present === undefined) return [target, { title, ...(past ?? unasked) }];
    if (present.status === "not checked" || past === undefined) return [target, { title, ...present }];
    const both = { ...past.dtypes, ...present.dtypes };
    const order = formNames.filter((dtype) => dtype in both);
    const dtypes = Object.fromEntries(order.map((dtype) => [dtype, both[dtype]!]));
    return [target, { title, ...present, status: statusOf(dtypes), dtypes }];
  });
  return Object.fromEntries(all);
};

/** Whether anything failed, of the targets and dtypes that are asked for (all unless told). */
export const failsGate = (
  { targets: found }: ParityFile,
  asked: { readonly targets?: readonly string[]; readonly dtypes?: readonly string[] } = {},
): boolean =>
  Object.entries(found)
    .filter(([target]) => asked.targets?.includes(target) ?? true)
    .flatMap(([, { dtypes }]) => Object.entries(dtypes))
    .some(([dtype, { status }]) => status === "failed" && (asked.dtypes?.includes(dtype) ?? true));

/** A line for each dtype that failed: the target, the reason, and what to use there instead. */
export const failures = ({ targets: found }: ParityFile): string[] =>
  Object.entries(found).flatMap(([target, { dtypes }]) =>
    Object.entries(dtypes).flatMap(([dtype, { status, reason, instead }]) => {
      if (status !== "failed") return [];
      const use = instead === undefined ? "none that was tried passes there" : `use ${instead} there`;
      return [`${target} ${dtype} fails (${reason}): ${use}`];
    }),
  );
