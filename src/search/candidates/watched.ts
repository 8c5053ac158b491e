/** What is known of dense models while they learn. */

/** What one is watched by. */
export interface Watched {
  /** The start's quality, and the mean of its scores. */
  readonly quality: number;
  readonly mean: number;
  /** What it would cost, as far as that is foretold: the objectives after the first. */
  readonly costs: readonly number[];
  /** What an update computes, in a unit of its own. */
  readonly work: number;
}

/** How long updates took: of what was taught last. */
export interface Pace {
  readonly updateMs: number;
  /** What an update computes, in a unit of its own. */
  readonly work: number;
}
