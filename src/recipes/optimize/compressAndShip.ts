import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { doubtNotes } from "../../search/doubts.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";
import { type Delivered, deliver } from "./deliver.ts";
import { faultNotes } from "./notes.ts";
import { type SearchHooks, searched } from "./searched.ts";

/** What the whole way made. */
export interface Outcome {
  readonly optimized: Optimized;
  readonly delivered: Delivered;
  readonly data: UserData;
}

/** From a trained model to a shipped one: the part that quickstart and optimize share. */
export const compressAndShip = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  hooks: SearchHooks,
): Promise<Outcome> => {
  const { ui, command, source } = hooks;
  ui.stage("Making and measuring candidates");
  const { optimized, curves: taught } = await searched(engine, model, data, options, hooks);
  const { task, doubts } = optimized;
  for (const text of [...faultNotes(optimized), ...doubtNotes(doubts, task.criterion)]) ui.warn(text);
  ui.stage("Shipping");
  const curves = [...hooks.curves, ...taught];
  const from = source === undefined ? {} : { source };
  const delivered = await deliver(engine, { optimized, data, curves, options, command, ...from });
  return { optimized, delivered, data };
};
