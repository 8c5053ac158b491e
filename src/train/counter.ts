/** What counts in an update's micro-batches, found before their gradients. */
import { byShape } from "../engine/byShape.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Model } from "../models/model.ts";
import { countStep, type StepOptions } from "./step.ts";
import { widthOf } from "./width.ts";

/** Finds what counts in an update before its gradients. */
export interface Counter {
  /** 1 over what counts in whole micro-batches ("batch.x") together; 1 where nothing does. */
  scale(micro: readonly Feeds[]): Promise<number>;
  dispose(): Promise<void>;
}

/** Compiles `countStep`. Throws as it does. */
export const openCounter = async (engine: Engine, model: Model, options: StepOptions): Promise<Counter> => {
  const open = (step: StepOptions) => compile(engine, countStep(model, step), { threads: 1 });
  countStep(model, options); // Refuses before anything runs.
  const sessions = byShape((feeds) => open({ ...options, ...widthOf(feeds, "batch.") }));
  return {
    async scale(micro) {
      let count = 0;
      for (const feeds of micro) {
        const session = await sessions.at(feeds);
        count += Number((await session.run(feeds)).count!.data[0]);
      }
      return count > 0 ? 1 / count : 1;
    },
    dispose: () => sessions.dispose(),
  };
};
