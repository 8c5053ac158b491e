/** Times as users write them. */
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

/** Seconds of "90s", "30m", "1h30m". Throws commander's InvalidArgumentError. */
export const seconds = (text: string): number => {
  const parts = Array.from(text.matchAll(/(\d+(?:\.\d+)?)([smh])/g));
  const sum = parts.reduce((total, [, amount, unit]) => total + Number(amount) * UNITS[unit!]!, 0);
  if (parts.map(([part]) => part).join("") === text && sum > 0) return sum;
  throw new InvalidArgumentError("It must be a time such as 90s, 30m or 1h30m.");
};
