/** Texts that a model is calibrated on, and held-out ones that tell what it lost. */
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { taskOf } from "../../tasks/index.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { HeldOut, Material, Scorer, Task } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { readText } from "../data/windows.ts";

/** Held-out tokens that are measured; tokens whose loss is looked at beforehand. */
const [HELD_OUT, LOOKED_AT] = [16_384, 2048];
/** Share of what guessing costs beyond which a text looks foreign to a model. */
const FOREIGN = 0.7;

/** What a model is calibrated and measured on. */
export interface QuantizeMaterial {
  /** Windows of token ids. */
  readonly texts: readonly (readonly number[])[];
  readonly tokens: number;
  /** How the model is measured; nothing where its task has no figure of such text. */
  readonly measure?: {
    readonly task: Task;
    readonly score: (model: Model) => Promise<Float32Array>;
    /** Tells what is measured on apart from anything else. */
    readonly id: string;
  };
  /** What the user is told of the text. */
  readonly warnings: readonly string[];
}

/** The material with something held out, of text that is too short to be split. */
const withHeldOut = (material: Material, context: number): Material => {
  if (material.kind !== "text" || material.validation.length > context) return material;
  const { train } = material;
  return { ...material, validation: Uint32Array.from(train.subarray(0, Math.min(train.length, HELD_OUT))) };
};

/** What is measured, and on what, as text. */
const idOf = ({ name }: Task, heldOut: HeldOut): string =>
  JSON.stringify([name, heldOut], (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));

/** What a text of windows costs a language model, if it looks foreign to it: in words. */
const foreign = async (
  score: (heldOut: HeldOut) => Promise<Scorer>,
  heldOutOf: (material: Material) => HeldOut,
  { model, texts }: { readonly model: Model; readonly texts: readonly (readonly number[])[] },
): Promise<string[]> => {
  const some = Uint32Array.from(texts.flat().slice(0, LOOKED_AT));
  const heldOut = heldOutOf({ kind: "text", train: some, validation: some });
  const loss = meanOf(await (await score(heldOut))(model));
  const guess = Math.log(model.config.vocab_size);
  if (loss < FOREIGN * guess) return [];
  const [own, blind] = [loss, guess].map((nats) => nats.toFixed(2));
  return [
    `the calibration text costs the model ${own} nats a token, and guessing ${blind}: ` +
      "is it in a language that the model knows, and is the tokenizer the model's own?",
  ];
};

/** Reads the user's text, else the default corpus, as a model's tokenizer has it. Throws as `userData`. */
export const quantizeMaterial = async (
  engine: Engine,
  { model, tokenizer }: { readonly model: Model; readonly tokenizer: Tokenizer },
  run: RunOptions,
  { tokens, hooks }: { readonly tokens: number; readonly hooks: RecipeHooks },
): Promise<QuantizeMaterial> => {
  const { material, texts, length, own } = await readText({ model, tokenizer }, run, { tokens, hooks });
  const task = taskOf(model);
  const count = Math.min(
    tokens,
    texts.reduce((n, ids) => n + ids.length, 0),
  );
  if (!own) return { texts, tokens: count, warnings: [] };
  const heldOutOf = (each: Material): HeldOut =>
    task.heldOut(each, {
      ...{ model, tokenizer, batch: 4, context: length, seed: run.seed + 1, heldOutTokens: HELD_OUT },
    });
  const open = (heldOut: HeldOut): Promise<Scorer> => task.scorer(engine, heldOut, model);
  const heldOut = heldOutOf(withHeldOut(material, length));
  const scorer = await open(heldOut);
  const reads = material.kind === "text" && ["causal-lm", "masked-lm"].includes(task.name);
  const warnings = reads ? await foreign(open, heldOutOf, { model, texts }) : [];
  return { texts, tokens: count, measure: { task, score: scorer, id: idOf(task, heldOut) }, warnings };
};
