/** What the report of a sweep is made of. */
import type { Space } from "../../search/space/space.ts";
import type { Trial } from "../../search/trial.ts";

/** A trial as it is shown. */
export interface SweptTrial extends Trial {
  readonly seconds?: number;
  readonly error?: string;
}

/** All that was found. */
export interface SweepReport {
  readonly dir: string;
  readonly space: Space;
  readonly trials: readonly SweptTrial[];
  readonly sampler: string;
  /** What the first objective is, which stands negated where more is better; and the goals by name. */
  readonly judge: { readonly name: string; readonly better: "less" | "more" };
  readonly goals: readonly string[];
  /** The best trial's number, and those that no other dominates. */
  readonly best?: number;
  readonly front: readonly number[];
  readonly importance: readonly (readonly [name: string, share: number])[];
  /** What was learnt on the way: where trials could be stopped. */
  readonly notes: readonly string[];
  /** The command that makes the best trial again, and that of the sweep. */
  readonly again?: string;
  readonly command: string;
}

/** A trial's quality in the judge's own direction; undefined where it has none. */
export const qualityOf = (
  { objectives }: Pick<Trial, "objectives">,
  { better }: SweepReport["judge"],
): number | undefined => {
  const value = objectives?.[0];
  if (value === undefined || !Number.isFinite(value)) return undefined;
  return better === "more" ? -value : value;
};
