/**
 * Points that fill the space evenly: Halton's sequence with its digits permuted at random (Owen 2017,
 * https://arxiv.org/abs/1706.02808), which stays even in each prefix and has no order between dimensions.
 */
import { permutation } from "../../util/rng.ts";
import { atPoint } from "../space/unit.ts";
import type { MakeSampler } from "./sampler.ts";

const primes = (count: number): number[] => {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) if (found.every((p) => n % p !== 0)) found.push(n);
  return found;
};

/** Digits that are permuted: what is beyond them is below the resolution of a double. */
const digitsOf = (base: number): number => Math.ceil((52 * Math.LN2) / Math.log(base));

/** Points of [0, 1)^dimensions by their index, each a pure function of it and of the seed. */
export const halton = (dimensions: number, seed: number): ((index: number) => number[]) => {
  const axes = primes(dimensions).map((base, axis) => ({
    base,
    permuted: Array.from({ length: digitsOf(base) }, (_, k) =>
      permutation(base, seed, `halton ${axis} ${k}`),
    ),
  }));
  return (index) =>
    axes.map(({ base, permuted }) => {
      let [rest, share, sum] = [index, 1, 0];
      for (const order of permuted) {
        share /= base;
        sum += order[rest % base]! * share;
        rest = Math.floor(rest / base);
      }
      return Math.min(sum, 1 - 2 ** -53);
    });
};

/** The sequence's points in their order. */
export const quasiRandom: MakeSampler = (space, { seed = 1 } = {}) => {
  const point = halton(Object.keys(space).length, seed);
  return (number) => ({
    *[Symbol.iterator]() {
      // A point whose configuration was tried gives way to one far on in the sequence.
      for (let i = number; ; i += 65_537) yield atPoint(space, point(i));
    },
  });
};
