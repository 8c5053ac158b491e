/** The configurations of a space, counted and listed. */
import { isActive, type Param, type Scalar, type Space, type Values } from "./space.ts";

/** The values of a parameter that has finitely many; undefined for a number that is not whole. */
export const choicesOf = (param: Param): readonly Scalar[] | undefined => {
  if (param.kind === "categorical") return param.choices;
  if (param.low === param.high) return [param.low];
  if (param.kind === "float") return undefined;
  return Array.from({ length: param.high - param.low + 1 }, (_, i) => param.low + i);
};

function* walk(
  params: readonly (readonly [string, readonly Scalar[], Param])[],
  before: Values,
): Generator<Values> {
  const [first, ...rest] = params;
  if (first === undefined) yield before;
  else if (!isActive(first[2], before)) yield* walk(rest, before);
  else for (const value of first[1]) yield* walk(rest, { ...before, [first[0]]: value });
}

/** All configurations, the last parameter changing fastest; what has no steps takes `steps` values. */
export function* configurations(space: Space, steps?: number): Generator<Values> {
  const params = Object.entries(space).map(([name, param]) => {
    const choices = choicesOf(param) ?? spread(param, steps ?? 1);
    return [name, choices, param] as const;
  });
  yield* walk(params, {});
}

/** `steps` values of a number from end to end, at equal distances (ratios where it is logarithmic). */
const spread = (param: Param, steps: number): readonly number[] => {
  if (param.kind === "categorical") return [];
  const { low, high, log = false } = param;
  return Array.from({ length: steps }, (_, i) => {
    const at = steps === 1 ? 0.5 : i / (steps - 1);
    if (at === 0 || at === 1) return at === 0 ? low : high;
    return log ? low * (high / low) ** at : low + (high - low) * at;
  });
};

/** How many configurations there are, counted up to `most`; infinite where a number is not whole. */
export const sizeOf = (space: Space, most = Number.POSITIVE_INFINITY): number => {
  const counts = Object.values(space).map((param) => choicesOf(param)?.length ?? Number.POSITIVE_INFINITY);
  const product = counts.reduce((a, b) => a * b, 1);
  const plain = Object.values(space).every(({ when }) => when === undefined);
  if (plain || product === Number.POSITIVE_INFINITY) return product;
  let size = 0;
  for (const _ of configurations(space)) if (++size >= most) break;
  return size;
};
