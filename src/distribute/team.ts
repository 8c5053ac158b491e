/** Where the ranks of a run are: what a place offers that can run several. */
import type { Feeds } from "../engine/engine.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Collective } from "../train/ranks/collective.ts";
import type { Rank, RankPlan, Update } from "../train/ranks/rank.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** What rank 0 asks of another. */
export type Order =
  | { readonly do: "step"; readonly micro: readonly Feeds[]; readonly update: Update }
  | { readonly do: "load"; readonly params: Tensors; readonly opt?: Tensors }
  | { readonly do: "opt" };

/** The ranks from 1 on, running, and rank 0's end of the collective. */
export interface Crew {
  readonly collective: Collective;
  /**
   * Gives rank `rank` an order; orders are carried out one after another. Resolves, for "opt", to the
   * optimizer state of its shard. A failure also ends the exchange that others wait in.
   */
  order(rank: number, order: Order): Promise<Tensors | undefined>;
  /** Ends them, as soon as what they compute is done. */
  end(): Promise<void>;
}

/** Places for the ranks of a run. */
export interface Team {
  readonly size: number;
  /** Starts a rank for each plan but the first, which is the caller's. */
  start(plans: readonly RankPlan[]): Promise<Crew>;
}

/** Carries out an order. */
export const obey = async (rank: Rank, order: Order): Promise<Tensors | undefined> => {
  if (order.do === "step") await rank.step(order.micro, order.update);
  else if (order.do === "load") rank.load(order.params, order.opt);
  else return rank.opt();
  return undefined;
};
