/**
 * Passes: Model -> Model, made from plain options. Name and options are the log line, the cache key and the
 * lineage.
 */
import type { Engine } from "../engine/engine.ts";
import type { Json, Model } from "../models/model.ts";

/** What a pass may use while it runs. */
export interface Context {
  readonly engine: Engine;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Texts as token ids, for passes that look at what a model makes of them. */
  readonly calibration?: readonly (readonly number[])[];
  log(line: string): void;
}

/** A change of a model, with the name and options that its history tells. */
export interface Pass {
  readonly name: string;
  readonly options: Json;
  run(model: Model, context: Context): Promise<Model>;
}

/** Runs passes in order; the result's history names each of them. */
export const pipe = (...passes: readonly Pass[]): Pass => ({
  name: passes.map((p) => p.name).join(" | "),
  options: passes.map(({ name, options }) => ({ name, options })),
  run: async (model, context) => {
    let current = model;
    for (const pass of passes) current = await pass.run(current, context);
    return current;
  },
});

/** `model` with changed parts and one more step in its history. */
export const derived = (
  model: Model,
  pass: Pick<Pass, "name" | "options">,
  parts: Partial<Model>,
): Model => ({
  ...model,
  ...parts,
  history: [...model.history, { name: pass.name, options: pass.options }],
});
