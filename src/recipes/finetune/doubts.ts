/** What of a run's losses the user should not miss. */
import type { Example } from "../../tasks/records.ts";
import type { Curve } from "../train/pretrain.ts";

/** Share by which the loss has to fall, and the first loss below which it need not. */
const FALL = 0.03;
const LOW = 0.05;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

const variance = (values: readonly number[]): number => {
  const middle = mean(values);
  return mean(values.map((x) => (x - middle) ** 2));
};

/**
 * The mean training loss of the first and of the last epoch, or half of the updates, and the error of their
 * difference.
 */
const endsOf = (losses: readonly number[], epoch: number) => {
  const size = Math.min(Math.floor(losses.length / 2), epoch);
  if (size < 2) return undefined;
  const [a, b] = [losses.slice(0, size), losses.slice(-size)];
  return { first: mean(a), last: mean(b), error: Math.sqrt((variance(a) + variance(b)) / size) };
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
  /** Updates that go once through the records. */
  readonly epoch?: number;
  /** Accuracy on held-out examples, where that is what they are judged by. */
  readonly accuracy?: number;
  readonly held: readonly Example[];
}

/** Remarks on a run in which little was learnt. */
export const doubtsOf = ({ curve, lr, epoch = 100, accuracy, held }: Learnt): readonly string[] => {
  const losses = curve.train.map(([, loss]) => loss).filter(Number.isFinite);
  const ends = endsOf(losses, epoch);
  const way = "find one that suits with --find-lr, or see with --check whether the records can be learnt";
  const falls = ends !== undefined && ends.first - ends.last >= FALL * ends.first;
  const within = falls ? " by more than it wavers" : "";
  const flat =
    ends !== undefined && ends.first > LOW && ends.first - ends.last < Math.max(FALL * ends.first, ends.error)
      ? [
          `the training loss did not fall${within} (${ends.first.toFixed(3)} to ${ends.last.toFixed(3)}): ` +
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
