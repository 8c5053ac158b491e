/** What of a run's losses the user should not miss. */
import type { Example } from "../../tasks/records.ts";
import type { Curve } from "../train/pretrain.ts";

/** Share by which the loss has to fall, and the first loss below which it need not. */
const FALL = 0.03;
const LOW = 0.05;
/** Share of the updates that are the first and the last ones. */
const ENDS = 0.1;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The mean training loss of the first and of the last tenth of the updates. */
const endsOf = ({ train }: Pick<Curve, "train">): readonly [first: number, last: number] | undefined => {
  const losses = train.map(([, loss]) => loss).filter(Number.isFinite);
  const size = Math.max(1, Math.round(losses.length * ENDS));
  if (losses.length < 2 * size || losses.length < 4) return undefined;
  return [mean(losses.slice(0, size)), mean(losses.slice(-size))];
};

/** The share of the most frequent label among examples; undefined where they have none. */
const mostFrequent = (examples: readonly Example[]): number | undefined => {
  if (examples.length === 0 || examples.some(({ stratum }) => stratum === undefined)) return undefined;
  const counts = new Map<string, number>();
  for (const { stratum } of examples) counts.set(stratum!, (counts.get(stratum!) ?? 0) + 1);
  return Math.max(...counts.values()) / examples.length;
};

/** What was learnt, and from what. */
export interface Learnt {
  readonly curve: Pick<Curve, "train">;
  readonly lr: number;
  /** Accuracy on held-out examples, where that is what they are judged by. */
  readonly accuracy?: number;
  readonly held: readonly Example[];
}

/** Remarks on a run in which little was learnt. */
export const doubtsOf = ({ curve, lr, accuracy, held }: Learnt): readonly string[] => {
  const ends = endsOf(curve);
  const way = "find one that suits with --find-lr, or see with --check whether the records can be learnt";
  const flat =
    ends !== undefined && ends[0] > LOW && ends[1] > ends[0] * (1 - FALL)
      ? [
          `the training loss did not fall (${ends[0].toFixed(3)} to ${ends[1].toFixed(3)}): ` +
            `the learning rate ${lr} may be wrong for this model; ${way}`,
        ]
      : [];
  const share = mostFrequent(held);
  const plain =
    flat.length === 0 && accuracy !== undefined && share !== undefined && accuracy <= share
      ? [
          `the accuracy ${accuracy.toFixed(3)} is no better than always saying the most frequent label ` +
            `(${share.toFixed(3)}): more --epochs, another rate (--find-lr) or more records may help`,
        ]
      : [];
  return [...flat, ...plain];
};
