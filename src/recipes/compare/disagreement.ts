/** Where two models say different things of the same records. */
import type { Disagreement } from "../../report/beside.ts";
import type { Prediction, Quality } from "../evaluate/evaluation.ts";

/** Examples that are told. */
const SHOWN = 20;

const same = (a: Prediction["prediction"], b: Prediction["prediction"]): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** What both predict of the same records, by their places; undefined of numbers, which always differ. */
export const disagreementOf = (
  { predictions: first }: Pick<Quality, "predictions">,
  { predictions: second }: Pick<Quality, "predictions">,
): Disagreement | undefined => {
  if (first === undefined || second === undefined) return undefined;
  const others = new Map(second.map((each) => [each.id ?? JSON.stringify(each.input), each]));
  const both = first.flatMap((one) => {
    const other = others.get(one.id ?? JSON.stringify(one.input));
    const told = other !== undefined && typeof one.prediction !== "number";
    return told ? [{ one, other }] : [];
  });
  if (both.length === 0) return undefined;
  const apart = both.filter(({ one, other }) => !same(one.prediction, other.prediction));
  const right = ({ prediction, reference }: Prediction): boolean => same(prediction, reference);
  return {
    ...{ records: both.length, differ: apart.length },
    onlyFirst: apart.filter(({ one }) => right(one)).length,
    onlySecond: apart.filter(({ other }) => right(other)).length,
    examples: apart.slice(0, SHOWN).map(({ one, other }) => ({
      ...{ id: one.id ?? "", input: one.input, reference: one.reference },
      ...{ first: one.prediction, second: other.prediction },
    })),
  };
};
