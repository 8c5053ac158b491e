/** What packing has to know of a model, measured once: see node/runtime/measurements.ts. */
import { calibrationBatches, weighing } from "../../compress/calibration/batches.ts";
import type { ModelCodes } from "../../compress/calibration/codes.ts";
import { type InputMoments, inputMoments } from "../../compress/calibration/inputMoments.ts";
import { int8Forms } from "../../compress/forms.ts";
import type { Ids } from "../../compress/probe.ts";
import { type QuantizeOptions, roundedModel } from "../../compress/quantize.ts";
import { roundingMethods } from "../../compress/rounding/methods.ts";
import { groupCosts, type MatrixGroup } from "../../compress/sensitivity.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { type Measurements, measurements } from "../../node/runtime/measurements.ts";
import type { Int8Form } from "../../ops/int8.ts";
import { defined } from "../../util/defined.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { progressOf } from "../context/ui.ts";
import { version } from "../context/version.ts";

/** A model under measurement. */
export interface Measuring {
  readonly engine: Engine;
  readonly model: Model;
  readonly hooks: Pick<RecipeHooks, "ui" | "signal">;
  readonly kept: Measurements;
}

/** A model whose measurements are kept, and told of where they are there already. */
export const measuring = (engine: Engine, model: Model, hooks: Measuring["hooks"]): Measuring => {
  const onFound = (name: string): void => hooks.ui.line(`${name}: as measured before (~/.cache/anneal)`);
  const by = [version, engine.name, engine.version].join(" ");
  return { engine, model, hooks, kept: measurements(model, { version: by, onFound }) };
};

/** Lists whatever they are made of. */
const list = (values: Float64Array): number[] => Array.from(values);

/** Many numbers as text: float32, base64. */
const packed = (values: Float64Array): string => {
  const { buffer } = Float32Array.from(values);
  return Buffer.from(buffer).toString("base64");
};

const unpacked = (text: string): Float64Array => {
  const bytes = Uint8Array.from(Buffer.from(text, "base64"));
  return Float64Array.from(new Float32Array(bytes.buffer));
};

/** The moments of what matrices read of some text. Throws as `inputMoments`. */
export const momentsOn = async (
  { engine, model, hooks: { ui, signal }, kept }: Measuring,
  texts: Ids,
  tokens: number,
): Promise<InputMoments> => {
  const batches = weighing(calibrationBatches(model, texts, tokens));
  const about = batches.map(({ shape, data }) => [shape, Array.from(data, Number)]);
  const read = batches.reduce((sum, { data }) => sum + data.length, 0);
  const found = await kept.of("what inputs in runs count", about, async () => {
    const progress = progressOf(ui, "what layers read");
    const made = await inputMoments(engine, model, batches, { signal, onBatch: progress.update });
    progress.done(`what the inputs of ${made.size} matrices count, on ${read} tokens of text`);
    return Array.from(made, ([path, { k, count, squares, absolutes, near }]) => {
      const sums = { squares: list(squares), absolutes: list(absolutes) };
      return { path, k, count, ...sums, ...(near === undefined ? {} : { near: packed(near) }) };
    });
  });
  return new Map(
    found.map(({ path, k, count, squares, absolutes, near }) => {
      const sums = { squares: Float64Array.from(squares), absolutes: Float64Array.from(absolutes) };
      return [path, { k, count, ...sums, ...(near === undefined ? {} : { near: unpacked(near) }) }] as const;
    }),
  );
};

const idsOf = (texts: Ids): Json => texts.map((ids) => [...ids]);

/** The forms of a model's 8-bit matrices, by path. Throws as `int8Forms`. */
export const formsOn = async (
  { engine, model, kept }: Measuring,
  texts: Ids,
): Promise<ReadonlyMap<string, Int8Form>> => {
  const found = await kept.of("forms of 8 bits, steps, some apart, rotations", idsOf(texts), async () =>
    Array.from(await int8Forms(engine, model, texts), ([path, form]) => {
      const { digits, strong, steps = [], zero = 0, rotation = 0 } = form;
      return { path, digits, strong: [...strong], steps: [...steps], zero, rotation };
    }),
  );
  return new Map(
    found.map(({ path, digits, strong, steps, zero, rotation }) => {
      const fixed = steps.length === 0 ? {} : { steps, zero };
      return [path, { digits, strong, ...fixed, ...(rotation === 0 ? {} : { rotation }) }] as const;
    }),
  );
};

/** What 4 bits cost groups of matrices, the cheapest first. Throws as `groupCosts`. */
export const costsOn = async (
  { engine, model, kept }: Measuring,
  texts: Ids,
): Promise<readonly MatrixGroup[]> =>
  kept.of("what 4 bits cost", idsOf(texts), async () =>
    (await groupCosts(engine, model, texts)).map(({ paths, params, cost }) => {
      return { paths: [...paths], params, cost };
    }),
  );

/** Scores of a model, by what they are made with. */
export const scoresOn = async (
  { model, kept }: Measuring,
  about: Json,
  score: (model: Model) => Promise<Float32Array>,
): Promise<Float32Array> =>
  Float32Array.from(
    await kept.of("what the model scores", about, async () => Array.from(await score(model))),
  );

/** How a model's matrices of 4 bits are rounded. */
export interface RoundedByOptions extends Pick<QuantizeOptions, "method" | "block"> {
  /** Matrices that keep more bits. */
  readonly wide: readonly string[];
  readonly texts?: Ids;
  /** Most of their tokens that are read. */
  readonly tokens: number;
}

/** Codes of a model's matrices of 4 bits. Throws as `roundedModel`. */
export const roundedBy = async (study: Measuring, options: RoundedByOptions): Promise<ModelCodes> => {
  const { method = "search", block, wide, texts, tokens } = options;
  const { engine, model, hooks } = study;
  const { reads, folds } = roundingMethods[method];
  const once = texts !== undefined && !folds && (reads === "may" || reads === "moments");
  const inputs = once ? await momentsOn(study, texts, tokens) : undefined;
  const progress = progressOf(hooks.ui, "rounding matrices");
  const made = await roundedModel(engine, model, {
    ...{ rounding: { method, ...defined({ block }) }, wide, tokens, signal: hooks.signal, inputs },
    ...{ onSite: progress.update, ...defined({ texts }) },
  });
  progress.done(`rounded ${made.codes.size} matrices by ${method}`);
  return made;
};
