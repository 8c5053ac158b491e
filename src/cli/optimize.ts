/** anneal optimize */
import type { Command } from "commander";
import type { RecipeHooks } from "../recipes/context/hooks.ts";
import { optimizeData } from "../recipes/optimize/fromData.ts";
import { optimizeFolder } from "../recipes/optimize/optimize.ts";
import { defined } from "../util/defined.ts";
import { ConfigError } from "../util/errors.ts";
import { withFlags } from "./flags/options.ts";
import { askApart, askedApart } from "./process/apart.ts";
import { queueUrl } from "./process/queue.ts";
import { runRecipe } from "./process/run.ts";
import { sharingCores, type WorkerFlags, withWorkers } from "./process/workers.ts";
import { BUDGET_NOT_MET, printOutcome } from "./terminal/outcome.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal optimize novel/model --data book.txt --max-mb 1 --out novel-small
  $ npx anneal optimize my-model --data book.txt --max-mb 5 --max-ms 4 --time 30m
  $ npx anneal optimize --data reviews.csv --task classify --max-mb 1 --time 20m
Without a limit on what it costs, the smallest model that keeps enough quality is chosen.`;

/** Throws ConfigError where several processes would train the model that is searched from. */
const requireModel = ({ workers, join, queue }: WorkerFlags, { ranks }: RecipeHooks): void => {
  if (!workers && !join && queue === undefined && ranks === undefined) return;
  throw new ConfigError("is missing, and several processes would each train one", {
    field: "model",
    hint: "name a model, such as one that anneal train or finetune has made",
  });
};

/** Adds the verb `optimize`. */
export const register = (command: Command): void => {
  command.argument("[model]", "a folder, a GGUF file, or a model of the Hub; without: one is trained");
  withFlags(command, "optimize").action((ref: string | undefined, given: WorkerFlags) => {
    const queue = queueUrl(given.queue);
    const { workers = 0 } = given;
    return runRecipe(command, async (options, own, json) => {
      const asked = askedApart();
      if (asked !== undefined) {
        await optimizeFolder(asked.ref, options, { ...own, asked: asked.said });
        return;
      }
      if (ref === undefined) requireModel(given, own);
      const hooks = { ...own, ...defined({ queue }), apart: askApart };
      const from = () =>
        ref === undefined ? optimizeData(options, hooks) : optimizeFolder(ref, options, hooks);
      const { threads } = sharingCores(options, workers);
      const outcome = await withWorkers(workers, { threads, queue }, from);
      if (outcome === undefined) return;
      printOutcome(outcome, json);
      if (!outcome.optimized.choice.met) process.exitCode = BUDGET_NOT_MET;
    });
  });
};
