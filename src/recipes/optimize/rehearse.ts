/** Trying what processes ended in, by a process that may end in it too: the search sees whether it does. */
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import type { Rehearsal } from "../../search/candidates/makers.ts";
import { baseKey, dtypeIn } from "../../search/candidates/space.ts";
import { variantFor } from "../../search/candidates/variant.ts";
import { watchedScorer } from "../../tasks/scores.ts";
import type { RunOptions } from "../config/options.ts";
import type { UserData } from "../data/userData.ts";
import { makeDenseOf } from "./maker.ts";
import { askedOf, contextOf, taughtBy } from "./searched.ts";
import { searchIdentity } from "./space.ts";
import { joinStore } from "./store.ts";
import { teaching } from "./teaching.ts";

/**
 * Makes the dense model of a configuration and keeps it for the search in OUT, then makes, judges and scores
 * its form, of which nothing is told. Throws ConfigError where that search is another.
 */
export const rehearse = async (
  engine: Engine,
  model: Model,
  data: UserData,
  options: RunOptions,
  { what, signal }: { readonly what: Rehearsal; readonly signal: AbortSignal | undefined },
): Promise<void> => {
  const { values } = what;
  const { asked } = askedOf(engine, model, { data, options });
  const identity = searchIdentity(options, data, model, asked.space);
  const store = await joinStore({ run: join(options.out, "run"), identity, whole: model });
  const until = signal ?? new AbortController().signal;
  const made = {
    ...asked,
    teaching: (of: typeof values) => teaching(taughtBy(options, of), asked.lesson, { model }),
  };
  const making = { engine, model, data, options, made, store, signal: until };
  const found = await makeDenseOf(making, { job: what, isAsked: () => true });
  // What it throws, or comes to nothing by, the search will see for itself.
  if (found === undefined || found.error !== undefined || found.stopped) return;
  const dense = (await store.dense(baseKey(values)))?.model ?? model;
  const context = { ...contextOf(engine, data, options), log: () => {}, signal: until };
  const how = { ...asked, ...what };
  const { base } = await variantFor({ name: "", dense, forms: {} }, values, how, context);
  // GGUF files are judged and scored by a process of their own.
  if (base === undefined || asked.format.name === "gguf") return;
  await asked.judge(base, [dtypeIn(values)]);
  const score = await watchedScorer(asked.task, engine, asked.lesson.heldOut, model);
  await score(base.forms[dtypeIn(values)]!);
};
