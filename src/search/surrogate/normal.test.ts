/** The normal distribution against values of mpmath with 60 digits, tails too. */
import { expect, test } from "vitest";
import { cdf, logCdf, logImprovement, logMass } from "./normal.ts";

const near = (got: number, want: number): void => expect(got / want).toBeCloseTo(1, 12);

test("cdf and its logarithm", () => {
  near(cdf(-1), 0.15865525393145705);
  near(cdf(2.5), 0.9937903346742238);
  near(logCdf(-3.0001), -6.608054536023052);
  near(logCdf(-2.9999), -6.607397916292055);
  near(logCdf(-38), -726.5572160188201);
  near(logCdf(-1e4), -50000010.12927891);
  expect(cdf(0)).toBe(0.5);
});

test("masses far out, on either side", () => {
  near(logMass(10, 11), -53.23131022558312);
  near(logMass(-11, -10), -53.23131022558312);
  near(logMass(-1, 2), -0.2001662943244626);
});

test("the expected improvement where its terms cancel", () => {
  near(logImprovement(0.5), -0.3598276837450638);
  near(logImprovement(-3.5), -9.746810037765387);
  near(logImprovement(-30), -457.724653760598);
});
