/** The student: cut out of its teacher, fresh, or a folder of its own. */
import { dropLayers } from "../../compress/dropLayers.ts";
import { retarget } from "../../models/checkpoint/config.ts";
import type { Labels } from "../../models/encoders/encoder.ts";
import { headOf } from "../../models/head.ts";
import type { Model, ModelConfig } from "../../models/model.ts";
import { countParams, initialize } from "../../nn/param.ts";
import { openModel } from "../../node/hub/hub.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { type Source, sourceIn } from "../model/source.ts";
import { families } from "../train/families.ts";
import { type DistillModelOptions, isFamily } from "./options.ts";

/** A model with its tokenizer and what its folder passes on. */
export interface Opened {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly source: Source;
}

/** A student before it learns. */
export interface Student {
  readonly model: Model;
  /** Its own, where it is not the teacher's. */
  readonly tokenizer?: Tokenizer;
  /** What it keeps of the folder that it came from; nothing of a fresh one. */
  readonly source?: Source;
  /** Where it came from, in words. */
  readonly from: string;
  readonly fresh: boolean;
}

const layersOf = ({ arch, config }: Model): number => arch.cache(config).layers;

/** Throws ConfigError for more layers than the teacher has. */
const keptOf = (teacher: Model, asked?: number): number => {
  const layers = layersOf(teacher);
  const keep = asked ?? Math.max(1, layers >> 1);
  if (keep <= layers) return keep;
  throw new ConfigError(`a student of ${keep} layers is not cut out of a teacher of ${layers}`, {
    field: "distill.layers",
    hint: `give --layers ${layers} or less, or make a --fresh one`,
  });
};

/** The teacher's sizes and ids that a fresh student takes over. */
const likeTeacher = ({ config }: Model): { readonly [field: string]: unknown } => {
  const { id2label, label2id, problem_type } = config as Partial<Labels>;
  const ids = Object.entries(config as object).filter(([name]) => name.endsWith("_token_id"));
  return { ...Object.fromEntries(ids), ...defined({ id2label, label2id, problem_type }) };
};

/** Throws ConfigError for a family that has no such head, and for sizes that do not divide. */
const fresh = (
  { model: teacher, tokenizer }: Opened,
  asked: DistillModelOptions,
  run: RunOptions,
): Student => {
  const family = asked.family ?? teacher.arch.name;
  if (!isFamily(family)) {
    throw new ConfigError(`no fresh model is of the teacher's family ${family}`, {
      field: "distill.family",
      hint: `name one with --family: ${Object.keys(families).join(", ")}`,
    });
  }
  const { kvHeads, headWidth, positions, layers } = teacher.arch.cache(teacher.config);
  const n_head = asked.heads ?? kvHeads;
  const n_embd = asked.width ?? n_head * Math.max(1, Math.round((kvHeads * headWidth) / 2 / n_head));
  if (n_embd % n_head !== 0) {
    throw new ConfigError(`${n_embd} channels do not divide into ${n_head} heads`, {
      field: "distill.width",
      hint: "give --width and --heads of which one divides the other",
    });
  }
  const n_layer = asked.layers ?? Math.max(1, layers >> 1);
  const n_positions = Number.isFinite(positions) ? positions : run.model.n_positions;
  const { eos, specials } = tokenizer;
  const vocab_size = teacher.config.vocab_size;
  const shape = { ...run.model, n_layer, n_head, n_embd, n_positions, dropout: 0, vocab_size, eos, specials };
  const [arch, config] = families[family].shape(shape);
  const head = headOf(teacher.arch, teacher.config);
  const json = retarget(arch, { ...config, ...likeTeacher(teacher) }, { task: head }, `a ${family}`);
  const parsed = arch.parse(json) as ModelConfig;
  const model: Model = {
    ...{ arch, config: parsed, weights: initialize(arch.params(parsed), run.seed), history: [] },
    ...defined({ pooling: teacher.pooling }),
  };
  return { model, from: `a fresh ${family}, ${n_layer} layers of ${n_embd} channels`, fresh: true };
};

const cut = async ({ model, source }: Opened, asked: DistillModelOptions, { engine, seed }: CutContext) => {
  const keep = keptOf(model, asked.layers);
  const made = await dropLayers({ keep }).run(model, { engine, seed, log: () => {} });
  return { model: made, source, from: `${keep} of ${layersOf(model)} layers of the teacher`, fresh: false };
};

type CutContext = Pick<Parameters<ReturnType<typeof dropLayers>["run"]>[1], "engine" | "seed">;

const labelsOf = ({ config }: Model): readonly string[] =>
  Object.values((config as Partial<Labels>).id2label ?? {});

/** Throws ConfigError where two models do not do the same on the same tokens. */
const requireAlike = (teacher: Opened, student: Opened, ref: string): void => {
  const [theirs, own] = [taskOf(teacher.model), taskOf(student.model)];
  const refuse = (what: string, hint: string): never => {
    throw new ConfigError(what, { file: ref, field: "distill.student", hint });
  };
  if (theirs.name !== own.name) {
    refuse(`is for ${own.name}, and its teacher for ${theirs.name}`, "choose two models of one task");
  }
  if (
    theirs.name.endsWith("classification") &&
    labelsOf(teacher.model).join() !== labelsOf(student.model).join()
  ) {
    const [mine, others] = [student, teacher].map(({ model }) => labelsOf(model).join(", "));
    refuse(
      `has the labels ${mine}, its teacher ${others}`,
      "fine-tune one of them on the other's labels first",
    );
  }
  const apart = differsAt(teacher, student);
  // Language models learn how likely spans of the text are.
  if (apart === undefined || own.name === "causal-lm") return;
  refuse(apart, "choose models of one tokenizer, or make a --fresh student, which takes the teacher's");
};

/** How two tokenizers differ, in words; undefined where they do not. */
const differsAt = (teacher: Opened, student: Opened): string | undefined => {
  const [a, b] = [teacher.tokenizer, student.tokenizer];
  if (a.vocabSize !== b.vocabSize || teacher.model.config.vocab_size !== student.model.config.vocab_size) {
    const [mine, theirs] = [student, teacher].map(({ model }) => model.config.vocab_size);
    return `has ${mine} tokens, and its teacher ${theirs}`;
  }
  for (let id = 0; id < a.vocabSize; id++) {
    const [x, y] = [a.bytesOf(id), b.bytesOf(id)].map((bytes) => new TextDecoder().decode(bytes));
    if (x !== y) return `token ${id} is ${JSON.stringify(y)}, and ${JSON.stringify(x)} to its teacher`;
  }
  return undefined;
};

/**
 * The student that is asked for. Throws ConfigError for one that cannot be made, and for a folder of another
 * task, other labels or, but for language models, another tokenizer.
 */
export const studentOf = async (
  teacher: Opened,
  asked: DistillModelOptions,
  run: RunOptions,
  { hub, engine }: Pick<RecipeHooks, "hub"> & Pick<CutContext, "engine">,
): Promise<Student> => {
  if (asked.fresh) return fresh(teacher, asked, run);
  if (asked.bits !== undefined && asked.layers === undefined && asked.student === undefined) {
    return { model: teacher.model, source: teacher.source, from: "the teacher itself", fresh: false };
  }
  if (asked.student === undefined) return cut(teacher, asked, { engine, seed: run.seed });
  const { model, tokenizer, dir } = await openModel(asked.student, { ...hub });
  const source = await sourceIn(dir, asked.student);
  const own = { model, tokenizer, source };
  requireAlike(teacher, own, asked.student);
  const across = differsAt(teacher, own) === undefined ? {} : { tokenizer };
  return { model, source, ...across, from: source.card.title, fresh: false };
};

/** Size and score of a model. */
export const formOf = (model: Model, score: number) => ({
  params: countParams(model.weights),
  layers: layersOf(model),
  score,
});
