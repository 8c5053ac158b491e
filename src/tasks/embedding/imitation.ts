/**
 * Learning a teacher's vectors of texts (Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813): the
 * vectors themselves, those of each token beside them, or how the texts of a batch lie to each other (Park et
 * al. 2019, https://arxiv.org/abs/1904.05068), which suits students of any width.
 */
import { constant, type Value } from "../../ir/op.ts";
import { type TensorType, tensorOf } from "../../ir/tensor.ts";
import { readsTokenTypes } from "../../models/encoders/encoder.ts";
import type { ModelConfig, Pooling } from "../../models/model.ts";
import { sentenceEmbedding, unitRows } from "../../models/pooling.ts";
import { add, cast, div, maximum, mul, sub } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { mean } from "../../ops/reduce.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { encoderInputs } from "../encoderInputs.ts";
import type { Objective } from "../objective.ts";
import type { LessonOptions } from "../task.ts";
import type { VectorLossName } from "../teaching/distillation.ts";
import { poolingOf } from "./neighbours.ts";

// R texts, T time, C channels

/** The name of the objective, which a teacher's vectors are a part of. */
export const IMITATION = "imitate";

type Shape = LessonOptions["model"];

/** Channels of a model's vectors. */
export const widthOf = ({ arch, config }: Shape): number => {
  const { kvHeads, headWidth } = arch.cache(config);
  return kvHeads * headWidth;
};

/** What reads texts and nothing else. */
export const readingOf = (model: Shape): Pick<Objective, "inputs" | "texts"> => ({
  inputs: (shape) => encoderInputs(shape, { tokenTypes: readsTokenTypes(model.config as ModelConfig) }),
});

/** 1 - cosine of each row [..., C] -> [..., 1]. */
const apart = (a: Value, b: Value): Value => sub(1, sum(mul(unitRows(a), unitRows(b)), [-1], true));

/** The mean of squared differences of each row: [R, C] both -> [R]. */
export const squaresApart = (mine: Value, theirs: Value): Value => {
  const off = sub(mine, theirs);
  return mean(mul(off, off), [-1]);
};

/** 0 on the diagonal, 1 off it: [n, n]. */
const offDiagonal = (n: number): Value => {
  const data = Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) !== 0));
  return constant(tensorOf("float32", [n, n], data));
};

/**
 * The mean squared difference between a text's cosines with the other texts that count (`counts` [R]) and
 * what the teacher's are: mine [R, C], theirs [R, K] -> [R].
 */
export const relationsApart = (mine: Value, theirs: Value, counts: Value): Value => {
  const rows = counts.shape[0] as number;
  const cosines = (x: Value): Value => matmul(unitRows(x), unitRows(x), { transB: true }); // [R, R]
  const off = sub(cosines(mine), cosines(theirs));
  const others = mul(reshape(counts, [1, rows]), offDiagonal(rows)); // [R, R]
  return div(sum(mul(mul(off, off), others), [1]), maximum(sum(others, [1]), 1));
};

/** What a student and its teacher make of a batch. */
interface Vectors {
  /** [R, C] and [R, K]. */
  readonly mine: Value;
  readonly theirs: Value;
  /** [R, T, C] each. */
  readonly hidden: Value;
  readonly teacherHidden: Value | undefined;
  /** [R, T] and [R]: tokens and texts that count. */
  readonly mask: Value;
  readonly counts: Value;
}

/** What each text is apart by -> [R]. */
const losses: Readonly<Record<VectorLossName, (given: Vectors) => Value>> = {
  tokens: ({ mine, theirs, hidden, teacherHidden, mask }) => {
    const tokens = mul(sum(apart(hidden, teacherHidden!), [-1]), mask); // [R, T]
    return add(sum(apart(mine, theirs), [-1]), div(sum(tokens, [1]), maximum(sum(mask, [1]), 1)));
  },
  cosine: ({ mine, theirs }) => sum(apart(mine, theirs), [-1]),
  mse: ({ mine, theirs }) => squaresApart(mine, theirs),
  relations: ({ mine, theirs, counts }) => relationsApart(mine, theirs, counts),
};

/** How vectors are learnt of a teacher. */
export interface ImitationOptions {
  /** The teacher, whose vectors are inputs. */
  readonly teacher: Shape;
  readonly by?: VectorLossName;
  /** How the student's tokens become a vector; as the teacher's unless told. */
  readonly pooling?: Pooling;
}

/**
 * Learning `teacherVectors` [R, K], and by "tokens" `teacherHidden` [R, T, K], of the R texts of a batch that
 * is read as `base` does. Each text that has a token counts once.
 */
export const imitation = (
  { teacher, by = "tokens", pooling = poolingOf(teacher) }: ImitationOptions,
  { inputs, texts = 1 }: Pick<Objective, "inputs" | "texts"> = readingOf(teacher),
): Objective => ({
  name: IMITATION,
  texts,
  inputs: (shape) => {
    const [rows, width] = [shape.batch * texts, widthOf(teacher)];
    const hidden: TensorType = { dtype: "float32", shape: [rows, shape.context, width] };
    return {
      ...inputs(shape),
      teacherVectors: { dtype: "float32", shape: [rows, width] },
      ...(by === "tokens" ? { teacherHidden: hidden } : {}),
    };
  },
  totals: ({ hidden }, { attentionMask, teacherVectors, teacherHidden }) => {
    const mask = cast(attentionMask!, "float32"); // [R, T]
    const tokens = sum(mask, [1]);
    const counts = div(tokens, maximum(tokens, 1)); // texts that have a token: [R]
    const mine = sentenceEmbedding(hidden, attentionMask!, pooling);
    const each = losses[by]({ mine, theirs: teacherVectors!, hidden, teacherHidden, mask, counts });
    return { total: sum(mul(each, counts)), count: sum(counts) };
  },
});
