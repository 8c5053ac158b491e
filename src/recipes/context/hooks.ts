/** What a recipe gets besides its options. */
import type { HubOptions } from "../../node/hub/hub.ts";
import type { Ui } from "./ui.ts";

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
}
