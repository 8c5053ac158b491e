/** Correlation of two columns of numbers in which each example counts as often as its weight says. */
import { DataError } from "../../util/errors.ts";
import { bootstrap, type Statistic } from "../bootstrap.ts";
import { type IntervalOptions, type Measured, paired } from "../metric.ts";

type Numbers = ArrayLike<number>;

/** Whether all examples drawn have one number. */
const constant = (x: Numbers, weights: Uint32Array): boolean => {
  let first: number | undefined;
  for (let i = 0; i < x.length; i++) {
    if (weights[i] === 0) continue;
    first ??= x[i]!;
    if (x[i] !== first) return false;
  }
  return true;
};

/** The product-moment correlation of x and y; 0 where one of them is constant. */
export const weightedCorrelation = (x: Numbers, y: Numbers, weights: Uint32Array): number => {
  if (constant(x, weights) || constant(y, weights)) return 0;
  let [n, meanX, meanY] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    n += weights[i]!;
    meanX += weights[i]! * x[i]!;
    meanY += weights[i]! * y[i]!;
  }
  meanX /= n;
  meanY /= n;
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy, weight] = [x[i]! - meanX, y[i]! - meanY, weights[i]!];
    xx += weight * dx * dx;
    yy += weight * dy * dy;
    xy += weight * dx * dy;
  }
  return Math.max(-1, Math.min(1, xy / Math.sqrt(xx) / Math.sqrt(yy)));
};

const requireFinite = (side: string, numbers: readonly number[]): void => {
  const at = numbers.findIndex((x) => !Number.isFinite(x));
  if (at >= 0) throw new DataError(`${side} ${at + 1} is ${numbers[at]}: a correlation is of finite numbers`);
};

/**
 * A correlation with its interval. Throws DataError where a number is not finite, or all references are the
 * same.
 */
export const correlation = (
  predictions: readonly number[],
  references: readonly number[],
  statistic: Statistic,
  interval?: IntervalOptions,
): Measured => {
  const n = paired(predictions, references);
  requireFinite("prediction", predictions);
  requireFinite("reference", references);
  if (references.every((x) => x === references[0])) {
    throw new DataError(`all ${n} references are ${references[0]}: nothing can correlate with them`, {
      hint: "give examples whose references differ",
    });
  }
  return bootstrap(n, statistic, interval);
};
