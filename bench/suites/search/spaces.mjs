// The three spaces that were measured whole (tables.mjs): each small enough for that, each with another trap. `compute` of a trial is
// in seconds of one core as they were measured; both objectives are to be made small.
import { categorical } from "../../../dist/search/space/space.js";

const ordered = { ordered: true };

/** Steps after which a trial of training is measured: a third each of the next. */
export const RUNGS = [9, 27, 81];

/** Training a small GPT-2 from nothing: held-out loss against parameters. Rates that are too high for one optimizer suit the other. */
const train = {
  optimizer: categorical(["adamw", "muon"]),
  lr: categorical([5e-4, 1.5e-3, 5e-3, 1.5e-2, 5e-2], ordered),
  width: categorical([32, 64, 96], ordered),
  layers: categorical([1, 2, 3], ordered),
  batch: categorical([4, 8], ordered),
};

/** Compressing a trained GPT-2 without training: held-out loss against bytes. Conditions: 8 bits have neither blocks nor methods. */
const few = ({ bits }) => bits !== 8;
const compress = {
  layers: categorical([4, 3, 2], ordered),
  bits: categorical([2, 3, 4, 8], ordered),
  block: categorical([16, 32, 64], { ...ordered, when: few }),
  method: categorical(["nearest", "search", "hqq", "gptq"], { when: few }),
};

/** Distilling the same model into a shallower one and rounding it: held-out loss against bytes. */
const distill = {
  layers: categorical([1, 2, 3], ordered),
  alpha: categorical([0, 0.5, 0.9], ordered),
  temperature: categorical([1, 2, 4], { ...ordered, when: ({ alpha }) => alpha > 0 }),
  lr: categorical([3e-4, 1e-3, 3e-3], ordered),
  bits: categorical([4, 8], ordered),
};

export const spaces = { train, compress, distill };
