/** What a recipe gets besides its options. */
import type { HubOptions } from "../../node/hub/hub.ts";
import type { Judge } from "../../tasks/task.ts";
import type { MetricsRow } from "../../train/loop.ts";
import type { Collective } from "../../train/ranks/collective.ts";
import type { Ui } from "./ui.ts";

/** The processes that run the same recipe together, each on its share of every batch. */
export interface Ranks {
  readonly collective: Collective;
  /** From now on a rank that gives no sign of life ends the run. */
  watch(): void;
}

/** A training run before its first step. */
export interface Watched {
  /** Numbers that the model has. */
  readonly params: number;
  /** What the best weights are told by; the held-out loss unless told. */
  readonly judge?: Pick<Judge, "name" | "better">;
}

/** Watches a training run. */
export interface Watch {
  begins(run: Watched): void;
  /** Each row of metrics, those of an earlier process too where the run is resumed. */
  row(row: MetricsRow): void;
}

/**
 * Has the same command, of the model `ref`, do what is said in a process of its own; resolves to what ended
 * that, undefined where it came to its own end or was not waited for.
 */
export type Apart = (
  asked: { readonly ref: string; readonly said: string; readonly threads: number },
  signal?: AbortSignal,
) => Promise<string | undefined>;

/** What a recipe gets besides its options. */
export interface RecipeHooks {
  readonly ui: Ui;
  /** Aborted: leave after a checkpoint. */
  readonly signal?: AbortSignal;
  readonly resume?: boolean;
  /** Whether this process takes part in a search that another has begun in the same folder. */
  readonly joins?: boolean;
  /** Processes that were started to take part in the search of this one. */
  readonly workers?: number;
  /** The URL of a Redis by which the processes of optimize share a search; they share OUT unless told. */
  readonly queue?: string;
  /** Starts processes that try what others ended in; none does unless given. */
  readonly apart?: Apart;
  /** What this process tries for the one that started it. */
  readonly asked?: string;
  /** Told how training goes. */
  readonly watch?: Watch;
  /** The command line, for the model card. */
  readonly command: string;
  /** How to reach the Hub, where the model is one of it. */
  readonly hub?: HubOptions;
  /** Absent for a process alone. The first rank writes the result, the others nothing. */
  readonly ranks?: Ranks;
}
