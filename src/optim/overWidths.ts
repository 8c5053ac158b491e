/**
 * Learning rates that hold at any width. Updates of a matrix between layers add up over its inputs, so that
 * one rate moves a wide model's activations further than a narrow one's: the best rate falls with the width.
 * With rates of these matrices scaled as muP does (Yang et al. 2022, https://arxiv.org/abs/2203.03466,
 * table 8) the rate that was found at a small width is the one to take at a large one. What does not get
 * longer sums with the width (embeddings, positions, biases, norms) keeps its rate. Initial weights whose
 * spread falls with the root of the width, and heads of one width, are taken for granted.
 */
import { ConfigError } from "../util/errors.ts";
import { scaleUpdates } from "./layerwise.ts";
import { chain, type Optimizer } from "./transform.ts";

/**
 * Powers of base / width: 1 where each number of an update is of one size (Adam's kind), 1/2 where an update
 * is orthogonal, of that mean size (Muon), and its norm grows with the root of the width.
 */
const powers: Readonly<Record<string, number>> = { adam: 1, adamw: 1, lion: 1, muon: 0.5 };

/** How rates follow the width. */
export interface OverWidths {
  /** The optimizer's name in the table of them. */
  readonly name: string;
  /** The width that the rate was found at, and that of the model. */
  readonly base: number;
  readonly width: number;
  /** Whether a path's matrix multiplies activations as wide as the model, or gives such. */
  readonly isHidden: (path: string) => boolean;
}

/**
 * `optimizer` for a model of `width`, by a rate that was found at `base`. Throws ConfigError for an optimizer
 * whose rates are not known to go over.
 */
export const overWidths = (optimizer: Optimizer, { name, base, width, isHidden }: OverWidths): Optimizer => {
  const power = powers[name];
  if (power === undefined) {
    throw new ConfigError(
      `does not hold for ${name}, whose best rate follows the width in a way of its own`,
      {
        field: "train.baseWidth",
        hint: `choose --optimizer ${Object.keys(powers).join(", ")}, or find a rate at the model's width`,
      },
    );
  }
  if (base === width) return optimizer;
  const factor = (base / width) ** power;
  return chain(
    optimizer.name,
    optimizer,
    scaleUpdates((path) => (isHidden(path) ? factor : 1)),
  );
};
