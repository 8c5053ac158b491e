/** Ways in which a product with 8-bit weights may meet its inputs: what each reads, how long it takes. */
import { constant, type Value } from "../ir/op.ts";
import { tensorOf } from "../ir/tensor.ts";
import { add, mul } from "../ops/elementwise.ts";
import { digitRounded, type Int8Form } from "../ops/int8.ts";
import { stepRounded } from "../ops/int8Steps.ts";
import { ROTATION_BLOCK, rotated, rotatedBack } from "../ops/rotation.ts";
import type { PlaceSteps } from "./inputSteps.ts";
import type { Site } from "./sites.ts";

/**
 * `one`: one digit, `rotated`: one digit of inputs that are turned first, more of them apart; `fixed`: codes
 * of steps that are known beforehand, `apart`: the same but for a few inputs. What bears none of them reads
 * two digits.
 */
export const WAYS = ["one", "rotated", "fixed", "apart"] as const;
/** How a product that bears inputs of 8 bits meets them. */
export type Way = (typeof WAYS)[number];

/** A site with what is known of its inputs. */
export interface Place extends Site {
  /** Inputs. */
  readonly k: number;
  /** Those that may stand apart, the strongest first; none where no input is strong. */
  readonly order: readonly number[];
  /** The ways that it may have besides two digits. */
  readonly ways: readonly Way[];
  /** Where steps may be fixed. */
  readonly steps: PlaceSteps | undefined;
}

/** Of how many inputs one stands apart, by way: so few that their product costs little. */
const APART = { two: 32, one: 32, rotated: 16, fixed: Number.POSITIVE_INFINITY, apart: 64 } as const;

/** How many of `k` inputs stand apart in a way. */
export const apartIn = (k: number, way: Way | "two"): number =>
  way === "fixed" ? 0 : Math.floor(Math.min(Math.max(16, k / APART[way]), k / 8));

/** The strong inputs of a place in a way, ascending. */
const strongOf = ({ k, order, steps }: Place, way: Way | "two"): readonly number[] =>
  way === "apart" ? steps!.apart.strong : order.slice(0, apartIn(k, way)).sort((a, b) => a - b);

/** The form of a way. */
export const formOf = (place: Place, way: Way | "two"): Int8Form => {
  const strong = strongOf(place, way);
  if (way === "fixed" || way === "apart") return { digits: 1, ...place.steps![way], strong };
  if (way === "rotated") return { digits: 1, strong, rotation: ROTATION_BLOCK };
  return { digits: way === "two" ? 2 : 1, strong };
};

/** x [..., K] as products read it in a way, back in its own numbers. */
export const readAs = (x: Value, place: Place, way: Way): Value => {
  if (way === "fixed") return stepRounded(x, place.steps!.fixed);
  const strong = strongOf(place, way);
  const { k } = place;
  const masked = (of: Value, apart: boolean): Value => {
    const mask = Array.from({ length: k }, (_, i) => (strong.includes(i) === apart ? 1 : 0));
    return mul(of, constant(tensorOf("float32", [k], mask)));
  };
  const apart = masked(x, true);
  if (way === "apart") return add(masked(stepRounded(x, place.steps!.apart), false), apart);
  if (way === "one") return add(digitRounded(x, strong), apart);
  const by = { block: ROTATION_BLOCK, strong };
  return add(rotatedBack(digitRounded(rotated(x, by), []), by), apart);
};

/**
 * What a number takes, beside one multiplication and addition of a float32 product: measured on an AMD EPYC
 * (Zen 4) for SmolLM2-135M's products and 128 rows.
 */
const TIME = { digit: 0.5, visit: 9 } as const;

/** About how long the products of a place take for a row, in multiplications of a float32 product. */
export const timeOf = (place: Place, way: Way | "two"): number => {
  const { k } = place;
  const n = place.params / k;
  const { digit, visit } = TIME;
  const products = digit * k * n + strongOf(place, way).length * n;
  if (way === "fixed") return products + 2 * visit * k;
  if (way === "apart") return products + 3 * visit * k + visit * n;
  const one = products + 5 * visit * k + 3 * visit * n;
  if (way === "rotated") return one + (ROTATION_BLOCK + 4 * visit) * k;
  return way === "one" ? one : one + digit * k * n + 8 * visit * k;
};
