/**
 * Matrices that make up for what was rounded in front of them: of a product that reads x where the dense
 * model reads y, the weights W + W (sum of (y - x) x^T) (sum of x x^T)^-1 come nearest to W y, and they are
 * rounded in W's place. (Asymmetric calibration: GPTAQ, https://arxiv.org/abs/2504.02692, has the same sums
 * and corrects input by input; here the whole correction comes before the inputs are walked along.)
 */
import type { Engine } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { sum } from "../../ops/structure.ts";
import type { Rows } from "../rounding/codes.ts";
import type { InputFactor } from "../rounding/gptq.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { openPrograms } from "./openPrograms.ts";
import type { Cross } from "./sums.ts";

/** What a product's inputs are, and what the dense model's are. */
export interface Apart {
  readonly moments: SecondMoments;
  /** Of the inputs and the dense model's, both [K]. */
  readonly cross: Pick<Cross, "products">;
}

/** All that is known of a product's inputs. */
export interface Known extends Apart {
  /** Of the moments. */
  readonly factor: InputFactor;
  /** A part of the rows, and the others: how much of what the first ask for helps there. */
  readonly parts?: { readonly learnt: Apart; readonly heldOut: Apart } | undefined;
}

const square = (k: number, values: Float32Array): Tensor => tensor("float32", [k, k], values);

/** Sum of (y - x) x^T, times `by`, [K, K], its columns in an order. */
const differences = ({ moments: { k, gram }, cross: { products } }: Apart, order: Uint32Array, by = 1) => {
  const sums = new Float32Array(k * k);
  for (let i = 0; i < k; i++) {
    for (let m = 0; m < k; m++) {
      const x = order[m]!;
      sums[i * k + m] = by * (products[x * k + i]! - gram[x * k + i]!);
    }
  }
  return square(k, sums);
};

/** Sum of x x^T with rows and columns in an order. */
const orderedGram = ({ moments: { k, gram } }: Apart, order: Uint32Array): Tensor => {
  const sums = new Float32Array(k * k);
  for (let i = 0; i < k; i++) for (let m = 0; m < k; m++) sums[i * k + m] = gram[order[i]! * k + order[m]!]!;
  return square(k, sums);
};

const float32 = (shape: readonly number[]) => ({ dtype: "float32", shape }) as const;

/** W (sum of (y - x) x^T) (sum of x x^T)^-1, its columns in the factor's order. */
const changeOf = ({ w, d, u }: { readonly w: Value; readonly d: Value; readonly u: Value }): Value =>
  matmul(matmul(matmul(w, d), u, { transB: true }), u);

/** Programs a shape, which stay open. */
const programsOf = (engine: Engine) => {
  const programs = openPrograms(engine);
  const types = (n: number, k: number) => ({ w: float32([n, k]), d: float32([k, k]), u: float32([k, k]) });
  return {
    change: (n: number, k: number) =>
      programs.of(`${n} ${k}`, () => trace(types(n, k), (v) => ({ change: changeOf(v) }))),
    /** What a change takes from other rows' squared error is 2 `along` - `size`. */
    helps: (n: number, k: number) =>
      programs.of(`${n} ${k} apart`, () => {
        const all = { ...types(n, k), other: float32([k, k]), h: float32([k, k]) };
        return trace(all, ({ other, h, ...v }) => {
          const change = changeOf(v);
          return { along: sum(mul(matmul(v.w, other), change)), size: sum(mul(matmul(change, h), change)) };
        });
      }),
    dispose: programs.dispose,
  };
};

/** Corrections by the engine. */
export const towardsDense = (engine: Engine) => {
  const programs = programsOf(engine);
  /**
   * The share of a change that is best for rows that it was not learnt from; all of it where there are none.
   */
  const shareOf = async (w: Tensor, u: Tensor, known: Known): Promise<number> => {
    const { parts, factor, moments } = known;
    if (parts === undefined) return 1;
    const { order } = factor;
    const { learnt, heldOut } = parts;
    const session = await programs.helps(w.shape[0] as number, moments.k);
    const { along, size } = await session.run({
      ...{ w, u, d: differences(learnt, order, moments.count / learnt.moments.count) },
      ...{ other: differences(heldOut, order), h: orderedGram(heldOut, order) },
    });
    const best = Number(along!.data[0]) / Number(size!.data[0]);
    return best > 0 ? Math.min(1, best) : 0;
  };
  /** Matrices that read the same inputs, corrected. */
  const of = async (matrices: readonly Rows[], known: Known): Promise<readonly Rows[]> => {
    const { order, factor } = known.factor;
    const d = differences(known, order);
    const u = square(known.moments.k, Float32Array.from(factor));
    const corrected: Rows[] = [];
    for (const { n, k, values } of matrices) {
      const w = tensor("float32", [n, k], Float32Array.from(values));
      const share = await shareOf(w, u, known);
      const { change } = await (await programs.change(n, k)).run({ w, d, u });
      const by = change!.data as Float32Array;
      const moved = new Float32Array(n * k);
      for (let j = 0; j < n; j++) {
        for (let i = 0; i < k; i++) {
          const at = j * k + order[i]!;
          moved[at] = values[at]! + share * by[j * k + i]!;
        }
      }
      corrected.push({ n, k, values: moved });
    }
    return corrected;
  };
  return { of, dispose: programs.dispose };
};
