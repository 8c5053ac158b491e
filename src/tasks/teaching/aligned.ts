/**
 * Learning from a teacher of another tokenizer: how likely it finds each span of the text at whose ends tokens
 * of both end (Minixhofer et al. 2025, https://arxiv.org/abs/2503.20083, whose divergence of "this span" from
 * "any other" is taken at the temperature towards which it converges, where it has a form of its own).
 */
import type { Value } from "../../ir/op.ts";
import { countedLabels, crossEntropy, type Totals, totalsOver } from "../../nn/loss.ts";
import { add, div, greater, log, maximum, mul, sub, where } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { languageModelling } from "../languageModelling.ts";
import { type Objective, rowsOf, tokenLosses } from "../objective.ts";
import type { Teaching } from "./distillation.ts";

// B batch, T time, S spans of a row (at most T), N = B * T rows, V vocabulary

/** Nats that a span costs at least: nobody is surer. */
const LEAST = 1e-4;

/**
 * t log(t / s) - t + s, nats a span: what the student's nats s of spans are from the teacher's t; 0 where t is
 * 0, which stands for no span. Both [B, S] -> [B, S].
 */
export const spanDivergence = (student: Value, teacher: Value): Value => {
  const [s, t] = [maximum(student, LEAST), maximum(teacher, LEAST)];
  const apart = add(sub(mul(t, log(div(t, s))), t), s);
  return where(greater(teacher, 0), apart, 0);
};

/** Added up over spans, and how many tokens count: logits [N, V], labels [N], inputs of `alignedTeaching`. */
const totals = (logits: Value, inputs: Readonly<Record<string, Value>>, alpha: number): Totals => {
  const { labels, spans, spanNats } = inputs as Record<"labels" | "spans" | "spanNats", Value>;
  const { counts, safe } = countedLabels(labels);
  const [b, t] = spans.shape as readonly [number, number];
  const n = labels.shape[0] as number;
  const losses = crossEntropy(logits, reshape(safe, [n, 1]));
  const own = reshape(matmul(spans, reshape(losses, [b, t, 1])), [b, t]);
  const apart = mul(sum(spanDivergence(own, spanNats)), alpha);
  const said = totalsOver(losses, reshape(counts, [n, 1]));
  return { ...said, total: alpha === 1 ? apart : add(apart, mul(said.total, 1 - alpha)) };
};

/**
 * alpha * the divergence of spans + (1 - alpha) * cross-entropy, over the tokens of the student. Its inputs are
 * the labels, `spans` float32 [B, S, T], 1 where a span has the label at a place of a row, and `spanNats`
 * float32 [B, S], what each costs the teacher, 0 for those that are none.
 */
export const alignedObjective = (alpha: number): Objective => ({
  name: "distill across tokenizers",
  inputs: (shape) => {
    const { batch: b, context: t } = shape;
    return {
      ...languageModelling.inputs(shape),
      spans: { dtype: "float32", shape: [b, t, t] },
      spanNats: { dtype: "float32", shape: [b, t] },
    };
  },
  totals: ({ logits }, inputs) => totals(rowsOf(logits), inputs, alpha),
  heldOut: languageModelling,
});

/** Teaching by spans, alpha of the loss; the teacher says the nats of each of its own tokens. */
export const alignedTeaching = (alpha: number): Teaching => ({
  objective: alignedObjective(alpha),
  says: (outputs, { labels }) => ({ nats: tokenLosses(outputs, labels!).losses }),
});
