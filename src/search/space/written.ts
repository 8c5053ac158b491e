/** Parameters as users write them: "1e-4..1e-2" is a range, "adamw,muon" are choices. */
import { categorical, float, integer, type Param, type Scalar } from "./space.ts";

/** How the values of a parameter are read. */
export interface Reading {
  /** A value from its word. Throws where the parameter does not take it. */
  value(word: string): Scalar;
  /** Whether it takes whole numbers alone. */
  whole(): boolean;
  /** The error of ends between which there is no range of numbers. */
  noRange(text: string): Error;
}

/**
 * The parameter that `text` says. A range whose ends are ten times apart is searched by ratio: a rate of 1e-5
 * is as far from 1e-4 as that from 1e-3. Throws as `reading` does.
 */
export const writtenParam = (text: string, reading: Reading): Param => {
  const range = /^([^.,]+(?:\.[^.,]+)?)\.\.([^,]+)$/.exec(text.trim());
  if (range === null) {
    const choices = text.split(",").map((word) => reading.value(word.trim()));
    const ordered = choices.every((c) => typeof c === "number");
    return ordered
      ? categorical(
          choices.toSorted((a, b) => Number(a) - Number(b)),
          { ordered },
        )
      : categorical(choices);
  }
  const [low, high] = [reading.value(range[1]!), reading.value(range[2]!)];
  if (typeof low !== "number" || typeof high !== "number" || low > high) throw reading.noRange(text);
  const log = low > 0 && high / low >= 10 ? { log: true } : {};
  return reading.whole() ? integer(low, high, log) : float(low, high, log);
};
