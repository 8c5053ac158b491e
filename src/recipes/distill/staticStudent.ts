/** The student without layers: a table of token vectors, made of its teacher. */
import { staticEmbedding } from "../../compress/static/staticEmbedding.ts";
import type { Engine } from "../../engine/engine.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Material } from "../../tasks/task.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { type DistillModelOptions, STATIC_DIMS } from "./options.ts";
import type { Opened, Student } from "./student.ts";

/** How often each token is in what is learnt from. */
const countsIn = (material: Material, vocab: number): Float64Array => {
  const counts = new Float64Array(vocab);
  const all = (ids: ArrayLike<number>): void => {
    for (let i = 0; i < ids.length; i++) counts[ids[i]!]!++;
  };
  if (material.kind === "text") {
    const { train } = material;
    const piece = 1 << 20;
    for (let at = 0; at < train.length; at += piece)
      all(train.subarray(at, Math.min(train.length, at + piece)));
  } else if (material.kind === "examples") {
    for (const { parts } of material.train)
      for (const [name, ids] of Object.entries(parts)) if (/^ids/.test(name)) all(ids);
  }
  return counts;
};

/** Throws ConfigError for a teacher that makes no vectors of texts, before anything is read. */
export const requireEmbedder = ({ model }: Opened): void => {
  const task = taskOf(model).name;
  if (task === "embedding") return;
  throw new ConfigError(`is for ${task}: static students are of models that make vectors of texts`, {
    field: "distill.static",
    hint: "choose an embedding model, or leave --static out",
  });
};

/** The table, weighted by the tokens of the user's text. */
export const staticStudent = async (
  engine: Engine,
  { model, tokenizer }: Opened,
  material: Material,
  { dims = STATIC_DIMS }: DistillModelOptions,
  { ui, signal }: RecipeHooks,
): Promise<Student> => {
  const { cls = tokenizer.specials.bos, sep = tokenizer.eos, pad = tokenizer.eos } = tokenizer.specials;
  const before = cls === undefined ? [] : [cls];
  const progress = ui.task("vectors of all tokens", 0);
  const counts = countsIn(material, model.config.vocab_size);
  const known = Object.values(tokenizer.specials).filter((id) => typeof id === "number");
  const marks = new Set([...before, sep, pad, ...known]);
  const pass = staticEmbedding({ dims, before, after: [sep], marks, pad, counts });
  const made = await pass.run(model, { engine, seed: 1, log: () => {}, ...(signal ? { signal } : {}) });
  progress.done(`${model.config.vocab_size} tokens as vectors of ${dims} channels`);
  return { model: made, from: `a static table of ${dims} channels`, fresh: true };
};
