/** What a checkpoint of a training run holds, and how it becomes files. */
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors/safetensors.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Json } from "../models/model.ts";
import { CheckpointError } from "../util/errors.ts";

/** All that a run needs to go on. */
export interface Snapshot {
  /** Updates done. */
  readonly step: number;
  /** Weights ("params.x") and optimizer state ("opt.y"). */
  readonly state: ReadonlyMap<string, Tensor>;
  /** The best weights so far by held-out loss, where it is measured. */
  readonly best?: ReadonlyMap<string, Tensor>;
  /** What the averaged weights are made of, where weights are averaged. */
  readonly average?: ReadonlyMap<string, Tensor>;
  readonly meta: Json;
}

/** Where a run's checkpoints live. */
export interface Checkpoints {
  save(snapshot: Snapshot): Promise<void>;
  /**
   * The newest sound one, with the tensors that are `wanted` (all unless told), by their names in the state,
   * among the weights or in an average. Throws CheckpointError when there is none.
   */
  load(wanted?: (name: string) => boolean): Promise<Snapshot>;
}

/** A durable place for named files of one step: see `node/files/checkpoints`. */
export interface CheckpointStore {
  save(step: number, files: Readonly<Record<string, readonly Uint8Array[]>>, meta: Json): Promise<void>;
  /** Every file is checked; those that are not `kept` are not held. */
  load(
    kept?: (name: string, bytes: Uint8Array) => boolean,
  ): Promise<{ step: number; files: ReadonlyMap<string, Uint8Array>; meta: Json }>;
}

type Part = "state" | "best" | "average";

/** A part's file: that of a process alone, or of the first of several ranks, bears no number. */
const fileOf = (part: Part, rank: number): string => `${part}${rank === 0 ? "" : `.${rank}`}.safetensors`;

/** The part that a file is of, whoever wrote it. */
const partOf = (name: string): string | undefined => /^(\w+)(\.\d+)?\.safetensors$/.exec(name)?.[1];

type Fields = { readonly [key: string]: Json };

const isFields = (x: Json | undefined): x is Fields => typeof x === "object" && x !== null;

/** The parts of what a checkpoint says of itself. Throws CheckpointError where one is missing. */
const partsOf = (meta: Json): { readonly progress: Json; readonly config: Json } => {
  if (isFields(meta) && isFields(meta.progress) && isFields(meta.config)) {
    return { progress: meta.progress, config: meta.config };
  }
  throw new CheckpointError("says nothing of the run that it is of", {
    field: "meta",
    hint: "it is no checkpoint of training: name another run directory",
  });
};

/** The tensors of a part, from all of its files; undefined where there is none. */
const tensorsIn = (
  files: ReadonlyMap<string, Uint8Array>,
  part: Part,
  wanted: (name: string) => boolean,
): Map<string, Tensor> | undefined => {
  const own = [...files].filter(([name]) => partOf(name) === part);
  if (own.length === 0) return undefined;
  const all = own.flatMap(([name, bytes]) => [...decodeSafetensors(bytes, name).tensors]);
  return new Map(all.filter(([name]) => wanted(name)));
};

/**
 * Checkpoints over a store. `identity` is all that a run depends on: the options, and hashes of the data and
 * the tokenizer. Resuming where it is another is refused, naming what differs. Of several ranks that write
 * to one store each has files of its own, which any number of ranks reads.
 */
export const checkpointsIn = (store: CheckpointStore, identity: Json, rank = 0): Checkpoints => ({
  save: ({ step, meta, ...parts }) => {
    const { state, best, average } = parts;
    const files = Object.entries({ state, best, average }).flatMap(([part, tensors]) =>
      tensors === undefined ? [] : [[fileOf(part as Part, rank), encodeSafetensors(tensors)] as const],
    );
    return store.save(step, Object.fromEntries(files), { progress: meta, config: identity });
  },
  load: async (wanted = () => true) => {
    const kept = (name: string, bytes: Uint8Array): boolean =>
      [...decodeSafetensors(bytes, name).tensors.keys()].some(wanted);
    const { step, files, meta } = await store.load(kept);
    const { progress, config } = partsOf(meta);
    requireSame(config, identity);
    const [state, best, average] = (["state", "best", "average"] as const).map((part) =>
      tensorsIn(files, part, wanted),
    );
    if (state === undefined) {
      throw new CheckpointError("is missing from the checkpoint", { file: fileOf("state", 0) });
    }
    return {
      ...{ step, state, meta: progress },
      ...(best === undefined ? {} : { best }),
      ...(average === undefined ? {} : { average }),
    };
  },
});

/** A field by its dotted path, as it was and as it is. */
export type Difference = readonly [path: string, was: string, is: string];

/** Where two objects differ, field by field. */
export const differences = (was: Json, is: Json, path = ""): Difference[] => {
  if (!isFields(was) || !isFields(is)) {
    return was === is ? [] : [[path, JSON.stringify(was), JSON.stringify(is)]];
  }
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return keys.flatMap((key) =>
    differences(was[key] ?? null, is[key] ?? null, path === "" ? key : `${path}.${key}`),
  );
};

/** Differences that are told one by one. */
const TOLD = 5;

const requireSame = (saved: Json, now: Json): void => {
  const [first, ...rest] = differences(saved, now);
  if (first === undefined) return;
  const told = rest.slice(0, TOLD - 1).map(([path, was, is]) => `; "${path}" was ${was} and is ${is}`);
  const more = rest.length < TOLD ? "" : `; and ${rest.length - TOLD + 1} more`;
  const [field, was, is] = first;
  throw new CheckpointError(`was ${was} in the checkpoint and is ${is}${told.join("")}${more}`, {
    field,
    hint: "resume with the options and the data of the run, or start another run directory",
  });
};
