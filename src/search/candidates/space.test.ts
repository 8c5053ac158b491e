import { expect, test } from "vitest";
import { categorical } from "../space/space.ts";
import { baseName, fullSpace, openings } from "./space.ts";

const whole = { layers: 6, neurons: true };

test("a search of few trials begins with mild cuts, alone and then together, taught, from what leaves most", () => {
  const space = fullSpace({ ...whole, steps: 300, fits: false });
  const names = openings(space, whole).map((cuts) => cuts.map((values) => baseName(space, values, 6)));
  const [neurons, layers, taught] = names;
  expect(neurons).toEqual([75, 50, 38, 25].map((share) => `${share}%-neuron pruned`));
  expect(layers!.slice(0, 2)).toEqual(["5-layer by-influence pruned", "4-layer by-influence pruned"]);
  // Half of the neurons are a third of a layer: what is left of four layers is what half of the neurons leave of all.
  expect(taught!.slice(0, 5)).toEqual([
    "75%-neuron distilled",
    "5-layer by-influence distilled",
    "5-layer by-influence 75%-neuron distilled",
    "50%-neuron distilled",
    "4-layer by-influence distilled",
  ]);
  expect(taught!.at(-1)).toBe("1-layer 25%-neuron distilled");
  expect(new Set(taught).size).toBe(taught!.length);
});

test("of what is not searched nothing is cut, and nothing is taught where no updates are", () => {
  const deep = { layers: categorical([6, 3]), steps: categorical([300]), dtype: categorical(["fp32"]) };
  expect(openings(deep, whole)).toEqual([[{ layers: 3, steps: 300, dtype: "fp32" }]]);
  const plain = { neurons: categorical([1, 0.5]), steps: categorical([0]), dtype: categorical(["fp32"]) };
  expect(openings(plain, whole)).toEqual([[{ neurons: 0.5, steps: 0, dtype: "fp32" }]]);
});
