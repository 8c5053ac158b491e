/** The share of a rank in a batch. */
import type { Feeds } from "../engine/engine.ts";
import { sameShape } from "../ir/shape.ts";
import { shapeText, sizeOf, type Tensor, type TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { batchTypes, type StepOptions } from "../train/step.ts";
import { type WidthOptions, widthKey, widthOf } from "../train/width.ts";
import { ConfigError } from "../util/errors.ts";

type Types = Readonly<Record<string, TensorType>>;

/** The types of a whole micro-batch, and of a rank's share of it. */
interface BatchTypes {
  readonly whole: Types;
  readonly share: Types;
}

/** Throws ConfigError unless `t` is the whole of an input, to be cut along its first dimension if at all. */
const checkInput = (name: string, t: Tensor, { whole, share }: BatchTypes): void => {
  const [all, part] = [whole[name]?.shape ?? t.shape, share[name]?.shape ?? t.shape];
  if (t.data.length !== sizeOf(all)) {
    throw new ConfigError(`has ${shapeText(t.shape)} where the step takes ${shapeText(all)}`, {
      field: `batch.${name}`,
      hint: "give micro-batches of train.batch sequences",
    });
  }
  if (sizeOf(part) !== sizeOf(all) && !sameShape(part.slice(1), all.slice(1))) {
    throw new ConfigError(`${shapeText(all)} cannot be divided: its rows are not those of the batch`, {
      field: `batch.${name}`,
      hint: "put the batch first, or train on one replica",
    });
  }
};

/**
 * The share of rank `rank` in a micro-batch: an equal part of what has rows for each sequence, the whole of
 * all else, and a dropout seed of its own.
 */
const shareOf = (feeds: Feeds, rank: number, types: BatchTypes): Feeds => {
  const cut = ([name, t]: [string, Tensor]): [string, Tensor] => {
    if (name === "seed") {
      return [name, { ...t, data: Int32Array.of(Number(t.data[0]) ^ Math.imul(rank, 0x9e3779b1)) }];
    }
    checkInput(name, t, types);
    const shape = (types.share[name]?.shape ?? t.shape) as readonly number[];
    const size = sizeOf(shape);
    if (size === t.data.length) return [name, t];
    return [name, { ...t, shape, data: t.data.slice(rank * size, (rank + 1) * size) }];
  };
  return Object.fromEntries(Object.entries(feeds).map(cut));
};

/** The types of a micro-batch and of a share of it, by the width of its rows. */
const typesByWidth = (model: Model, options: StepOptions, size: number) => {
  const known = new Map<string, BatchTypes>();
  return (feeds: Feeds): BatchTypes => {
    const width: WidthOptions = options.widths === undefined ? options : widthOf(feeds);
    const key = widthKey(width);
    const found = known.get(key);
    if (found !== undefined) return found;
    const step = { ...options, ...width };
    const [whole, share] = [1, size].map((ranks) => batchTypes(model, step, { ranks }));
    const types = { whole: whole!, share: share! };
    known.set(key, types);
    return types;
  };
};

/** The share of rank `rank` in whole micro-batches. */
export type Share = (feeds: Feeds, rank: number) => Feeds;

/**
 * The shares of `size` ranks in the micro-batches of a step. The result throws ConfigError for what cannot be
 * divided.
 */
export const sharer = (model: Model, options: StepOptions, size: number): Share => {
  const types = typesByWidth(model, options, size);
  return (feeds, rank) => shareOf(feeds, rank, types(feeds));
};
