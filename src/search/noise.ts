/** Whether held-out text tells two candidates apart: their losses on the same tokens, in pairs. */

/** How much more one candidate loses than another, and how sure that is. */
export interface LossDifference {
  /** Mean difference of the losses of a token, nats. */
  readonly nats: number;
  /** Standard error of that mean, nats; infinite where a single token was measured. */
  readonly standardError: number;
  /** Tokens that both were measured on. */
  readonly tokens: number;
}

/**
 * The losses of `a` less those of `b`, token by token: what is hard for both falls out of the difference, so
 * that its error is far below that of either mean.
 */
export const lossDifference = (a: Float32Array, b: Float32Array): LossDifference => {
  const tokens = a.length;
  const nats = a.reduce((sum, x, i) => sum + (x - b[i]!), 0) / tokens;
  const squares = a.reduce((sum, x, i) => sum + (x - b[i]! - nats) ** 2, 0);
  const standardError = tokens < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(squares / (tokens - 1) / tokens);
  return { nats, standardError, tokens };
};

/** Whether a difference is on no certain side of `limit`: within two standard errors of it. */
export const withinNoise = ({ nats, standardError }: LossDifference, limit = 0): boolean =>
  2 * standardError > Math.abs(nats - limit);
