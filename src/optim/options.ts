/** Checks of the optimizers' numbers: each throws ConfigError naming the option. */
import { ConfigError } from "../util/errors.ts";

const check = (ok: boolean, field: string, value: number, want: string): void => {
  if (!ok) throw new ConfigError(`${value} is not ${want}`, { field });
};

/** value > 0 */
export const positive = (field: string, value: number): void =>
  check(value > 0 && value < Infinity, field, value, "a number above 0");

/** value >= 0 */
export const notNegative = (field: string, value: number): void =>
  check(value >= 0 && value < Infinity, field, value, "a number of at least 0");

/** 0 <= value < 1: the factor of an exponential average. */
export const decayRate = (field: string, value: number): void =>
  check(value >= 0 && value < 1, field, value, "a number from 0 to below 1");
