// Two samplers' hypervolumes beside each other, at several shares of the compute: rows of a volume a seed for each share.
const mean = (xs) => xs.reduce((a, b) => a + b, 0) / xs.length;

/** Of a mean, the square of its standard error. */
const error2 = (xs) => {
  const middle = mean(xs);
  return xs.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (xs.length - 1) / xs.length;
};

/** A difference counts from so many standard errors on. */
const TOLD = 3;

/** The least ratio of means, and at how many shares of how many the first is below and above by more than noise. */
export const compared = (own, other) => {
  const points = own.map((volumes, i) => {
    const [a, b] = [mean(volumes), mean(other[i])];
    const error = Math.sqrt(error2(volumes) + error2(other[i]));
    return { ratio: b === 0 ? Number.POSITIVE_INFINITY : a / b, apart: a === b ? 0 : (a - b) / error };
  });
  return {
    ratio: Math.min(...points.map(({ ratio }) => ratio)),
    below: points.filter(({ apart }) => apart < -TOLD).length,
    above: points.filter(({ apart }) => apart > TOLD).length,
    of: points.length,
  };
};
