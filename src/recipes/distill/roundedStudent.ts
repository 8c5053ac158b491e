/** A student whose matrices are rounded while it learns, and what is shipped of it. */
import { modelCodes } from "../../compress/calibration/codes.ts";
import { learningRounded, learntRounded } from "../../compress/distillation/learntRounding.ts";
import { INT4_BLOCK } from "../../compress/int4.ts";
import { quantized } from "../../compress/quantize.ts";
import type { Codes, GridOptions } from "../../compress/rounding/codes.ts";
import type { Engine } from "../../engine/engine.ts";
import { kernelName } from "../../evaluate/kernels.ts";
import type { TensorType } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { knownKernels } from "../../node/runtime/kernelCache.ts";
import type { AllForms } from "../../search/candidates/candidate.ts";
import type { TaughtDtype } from "../../ship/onnx/dtype.ts";
import type { Lesson } from "../../tasks/task.ts";
import type { TrainOptions } from "../../train/loop.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import type { TrainingOptions } from "../config/training.ts";

/** Bits that a student can learn under. */
export type LearntBits = 4 | 2;

/** Inputs of a block of 2 bits, where they divide: of 32 products take half as long again as of 4 bits. */
const LONG_BLOCK = 64;

/** Of 2 bits: matrices that stand in no layer, which the whole model hangs on, keep 4. */
const gridsOf = ({ arch, config }: Model, bits: LearntBits): ReadonlyMap<string, GridOptions> => {
  const shapes = flatten<TensorType>(arch.params(config) as Tree<TensorType>);
  return new Map(
    arch.linears(config).map(({ path, layer, layout }): [string, GridOptions] => {
      if (bits === 4 || layer === undefined) return [path, { bits: 4, block: INT4_BLOCK }];
      const inputs = Number(shapes.get(path)?.shape[layout === "kn" ? 0 : 1]);
      return [path, { bits, block: inputs % LONG_BLOCK === 0 ? LONG_BLOCK : INT4_BLOCK }];
    }),
  );
};

/** Throws ConfigError where products of so few bits are wrong on this machine. */
const requireProducts = async (engine: Engine, bits: LearntBits): Promise<void> => {
  const block = bits === 2 ? LONG_BLOCK : INT4_BLOCK;
  const [own] = await knownKernels(engine, [{ bits, block, zeros: true, accuracy: 4 }]);
  if (own === undefined || own.status === "sound" || own.status === "slow") return;
  throw new ConfigError(`${kernelName(own)}: ${own.why}, with ${engine.name} ${engine.version} here`, {
    field: "distill.bits",
    hint: "leave --bits out, or teach on a machine that has them",
  });
};

/**
 * The student as it learns under few bits, on the grids of a scale search. Throws ConfigError as that does.
 */
export const roundedPupil = async (engine: Engine, student: Model, bits: LearntBits): Promise<Model> => {
  await requireProducts(engine, bits);
  const grid = { bits, block: INT4_BLOCK } as const;
  const { codes } = await modelCodes(engine, student, {
    method: "search",
    grid,
    grids: gridsOf(student, bits),
  });
  return learningRounded(student, codes);
};

/**
 * Numbers settle on codes as the rate falls to nothing: what some thousand held-out tokens say of earlier
 * weights is chance. Records, of which there are few, can be learnt by heart, and patience asks for the best.
 */
export const keptUnderBits = (
  { patience }: Pick<TrainingOptions, "patience">,
  { epoch }: Lesson,
): Pick<TrainOptions, "keep"> => (epoch === undefined && patience === 0 ? { keep: "last" } : {});

/** What was learnt: numbers as they are rounded, and their codes. */
export const finishedRounded = (trained: Model): { readonly model: Model; readonly codes: Learnt } => {
  const { model, codes } = learntRounded(trained);
  return { model, codes };
};

/** Codes by path. */
export type Learnt = ReadonlyMap<string, Codes>;

/** The model's forms, with the one of the codes that were learnt. */
export const formsWith = (
  { q4: _, ...forms }: AllForms,
  model: Model,
  { codes, bits }: { readonly codes: Learnt; readonly bits: LearntBits },
): Readonly<Partial<Record<TaughtDtype, Model>>> => ({
  ...forms,
  [`q${bits}`]: quantized(model, { bits }, { codes }),
});
