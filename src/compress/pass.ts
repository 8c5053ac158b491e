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
  /** Keeps what passes measure of a model on the texts; without it each measures anew. */
  readonly memo?: Memo;
  log(line: string): void;
}

/** What was measured of a model, by a name: as it was found before, or as `make` finds it. */
export type Memo = <T>(model: Model, name: string, make: () => Promise<T>) => Promise<T>;

/** A memo for as long as the models are there; what failed is measured again. */
export const memoOf = (): Memo => {
  const known = new WeakMap<Model["weights"], Map<string, Promise<unknown>>>();
  return <T>({ weights }: Model, name: string, make: () => Promise<T>): Promise<T> => {
    const own = known.get(weights) ?? new Map<string, Promise<unknown>>();
    known.set(weights, own);
    const found = (own.get(name) as Promise<T> | undefined) ?? make();
    own.set(name, found);
    found.catch(() => own.delete(name));
    return found;
  };
};

const anew: Memo = (_, __, make) => make();

/** The memo of a context. */
export const memoIn = ({ memo }: Pick<Context, "memo">): Memo => memo ?? anew;

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
