/** What is told of records that read alike: on both sides of a split, or with other labels. */
import type { Encoded } from "../../tasks/records.ts";

/** Whether so many equal hashes of 32 bits among `pairs` pairs of texts are more than chance. */
const isMore = (count: number, pairs: number): boolean => count > (4 * pairs) / 2 ** 32;

/** Held-out records whose text is one to train on: what they measure is memory. */
const shared = (train: Encoded, held: Encoded): readonly string[] => {
  const known = new Set(train.examples.map(({ unit }) => unit));
  const rows = held.rows.filter((_, i) => known.has(held.examples[i]!.unit));
  const { length } = rows;
  if (!isMore(length, train.examples.length * held.examples.length)) return [];
  return [
    `${length} of ${held.rows.length} held-out records have a text that is trained on too ` +
      `(the first: ${rows[0]!.id}): their figures say how much was learnt by heart`,
  ];
};

/** Records to train on that read alike and have another label than the first of them. */
const clashing = ({ rows, examples }: Encoded): readonly string[] => {
  const first = new Map<number, number>();
  const clashes: (readonly [number, number])[] = [];
  examples.forEach(({ unit, stratum }, i) => {
    if (stratum === undefined) return;
    const before = first.get(unit);
    if (before === undefined) first.set(unit, i);
    else if (examples[before]!.stratum !== stratum) clashes.push([before, i]);
  });
  if (!isMore(clashes.length, examples.length ** 2 / 2)) return [];
  const [a, b] = clashes[0]!;
  return [
    `${clashes.length} records have the text of another one and not its label ` +
      `(the first: ${rows[b]!.id} and ${rows[a]!.id})`,
  ];
};

/** Remarks on equal texts among the records to train on and those that are held out. */
export const sameTexts = (train: Encoded, held: Encoded): readonly string[] => [
  ...clashing(train),
  ...shared(train, held),
];
