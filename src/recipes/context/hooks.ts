/** What a recipe gets besides its options. */
import type { HubOptions } from "../../node/hub/hub.ts";
import type { Collective } from "../../train/collective.ts";
import type { Ui } from "./ui.ts";

/** The processes that run the same recipe together, each on its share of every batch. */
export interface Ranks {
  readonly collective: Collective;
  /** From now on a rank that gives no sign of life ends the run. */
  watch(): void;
}

/** What a recipe gets besides its options. */
export interface RecipeHooks {
  readonly ui: Ui;
  /** Aborted: leave after a checkpoint. */
  readonly signal?: AbortSignal;
  readonly resume?: boolean;
  /** The command line, for the model card. */
  readonly command: string;
  /** How to reach the Hub, where the model is one of it. */
  readonly hub?: HubOptions;
  /** Absent for a process alone. The first rank writes the result, the others nothing. */
  readonly ranks?: Ranks;
}
