/**
 * Successive halving (Jamieson and Talwalkar 2016, https://arxiv.org/abs/1502.07943): all candidates are measured
 * cheaply, the best 1 / eta of them dearer, and so on. A pilot goes all the way first: where its ranks at a
 * rung are not those at the end, nothing is cut there.
 */
import type { Point } from "../front/sort.ts";
import type { Trial } from "../trial.ts";
import { ETA, survivors } from "./asha.ts";
import { allowsStop, type Foretold, foretold } from "./rungs.ts";

/** How candidates are measured. */
export interface HalvingOptions<T> {
  /** Rungs, the last of which is the end. */
  readonly rungs: number;
  readonly measure: (candidate: T, rung: number) => Promise<Point>;
  readonly eta?: number;
  /** Candidates that go all the way whatever they are. */
  readonly pilot?: number;
}

/** What a candidate had at each rung that it came to, and whether that is the last. */
export interface Halved<T> {
  readonly candidate: T;
  readonly rungs: readonly Point[];
  readonly ended: boolean;
}

/** Each candidate's measurements in the order given, and what each rung but the last foretold. */
export const successiveHalving = async <T>(
  candidates: readonly T[],
  { rungs, measure, eta = ETA, pilot = 5 }: HalvingOptions<T>,
): Promise<{ readonly all: readonly Halved<T>[]; readonly known: readonly (Foretold | undefined)[] }> => {
  const points: Point[][] = candidates.map(() => []);
  const climb = async (i: number, to: number): Promise<void> => {
    for (let rung = points[i]!.length; rung <= to; rung++)
      points[i]!.push(await measure(candidates[i]!, rung));
  };
  const pilots = candidates.map((_, i) => i).slice(0, pilot);
  for (const i of pilots) await climb(i, rungs - 1);
  const ended = pilots.map(
    (i): Trial => ({
      ...{ number: i, values: {}, state: "complete" as const },
      ...{ rungs: points[i]!.slice(0, -1), objectives: points[i]!.at(-1)! },
    }),
  );
  const known = Array.from({ length: rungs - 1 }, (_, rung) => foretold(ended, rung));
  let rest = candidates.map((_, i) => i);
  for (let rung = 0; rung < rungs; rung++) {
    for (const i of rest) await climb(i, rung);
    if (!allowsStop(known[rung])) continue;
    const best = survivors(
      rest.map((i) => points[i]![rung]!),
      eta,
    );
    rest = rest.filter((_, k) => best.has(k));
  }
  const all = candidates.map((candidate, i) => ({
    candidate,
    rungs: points[i]!,
    ended: points[i]!.length === rungs,
  }));
  return { all, known };
};
