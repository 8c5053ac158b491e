/** A teaching that looks within teacher and student as well: hidden states of layers, relations of MiniLM. */
import { constant, type Value } from "../../ir/op.ts";
import { type Tensor, tensor, tensorOf } from "../../ir/tensor.ts";
import type { LinearRole } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { dense, initialize, normal, type Param, param, type Weight } from "../../nn/param.ts";
import { add, cast, mul } from "../../ops/elementwise.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import { batchOutputs, type Objective, type Pass } from "../objective.ts";
import type { Pupil } from "../task.ts";
import type { Teaching } from "./distillation.ts";
import { lastProjected, layerStates, type Projected, type Traced } from "./inner.ts";
import { hiddenLoss, relationLoss, sumOf } from "./innerLosses.ts";

// B batch, T time

/** How much is learnt of what stands within the teacher, beside what it says. */
export interface WithinOptions {
  /** Weight of the hidden states of layers; 0 unless told. */
  readonly hidden?: number;
  /** Weight of the relations of queries, keys and values in the last layer; 0 unless told. */
  readonly relations?: number;
}

/** A teacher and its student, both dense. */
export interface Pair {
  readonly teacher: Model;
  readonly student: Model;
}

const layersOf = ({ arch, config }: Model): number => arch.cache(config).layers;

/** The sizes of a model's matrix, as [outputs, inputs]; of a table [rows, channels]. */
const sizesOf = ({ arch, config, weights }: Model, role: LinearRole): readonly number[] | undefined => {
  const info = arch.linears(config).findLast((each) => each.role === role);
  const shape = info && flatten<Weight>(weights).get(info.path)?.shape;
  return info?.layout === "kn" ? shape?.toReversed() : shape;
};

/** Channels of hidden states: what tables are wide may be less. */
const widthOf = (model: Model): number => (sizesOf(model, "q") ?? sizesOf(model, "qkv"))![1]!;

/** The teacher's layer whose states each of the student's learns, by index: the last by the last. */
export const matched = (student: number, teacher: number): number[] =>
  Array.from({ length: student }, (_, i) => Math.round(((i + 1) * teacher) / student) - 1);

/** The pairs that are related, as MiniLM's second version has them. */
const PAIRS = ["q", "k", "v"] as const;

const nameOf = (i: number): string => `innerHidden${i}`;
const relationName = (part: keyof Projected): string => `inner${part.toUpperCase()}`;

/** Widths of the last layer's queries, keys and values. */
const projectedWidths = (model: Model): readonly number[] => {
  const joined = sizesOf(model, "qkv")?.[0];
  return PAIRS.map((part) => (joined === undefined ? sizesOf(model, part)![0]! : joined / 3));
};

/** Heads of the student's, by which relations are split. Throws ConfigError where widths do not divide. */
const headsFor = ({ teacher, student }: Pair): number => {
  const { kvHeads } = student.arch.cache(student.config);
  const widths = [...projectedWidths(teacher), ...projectedWidths(student)];
  if (widths.every((width) => width % kvHeads === 0)) return kvHeads;
  throw new ConfigError(
    `queries, keys and values of ${widths.join(", ")} channels do not divide into ${kvHeads}`,
    {
      field: "distill.relations",
      hint: "choose a student whose number of heads divides the teacher's widths",
    },
  );
};

/** 1 where a token counts: float32 [B, T]. */
const maskOf = ({ attentionMask, inputIds }: Readonly<Record<string, Value>>): Value => {
  if (attentionMask !== undefined) return cast(attentionMask, "float32");
  const shape = inputIds!.shape as readonly number[];
  const ones = new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1);
  return constant(tensor("float32", shape, ones));
};

/** The projections that learn beside a student: the identity where widths are equal. */
const projectionsOf = ({ teacher, student }: Pair, seed: number): Tree<Tensor> => {
  const [k, c] = [widthOf(teacher), widthOf(student)];
  const layers = layersOf(student);
  if (k !== c) {
    const spec = () => ({ projection: { weight: param([k, c], normal(1 / Math.sqrt(c))) } });
    return initialize(Array.from({ length: layers }, spec), seed);
  }
  const identity = () =>
    tensorOf(
      "float32",
      [k, k],
      Array.from({ length: k * k }, (_, i) => Number(i % (k + 1) === 0)),
    );
  return Array.from({ length: layers }, () => ({ projection: { weight: identity() } }));
};

/** Where the projections stand among the pupil's weights. */
const BESIDE = "distillation";

const besideIn = (params: Tree<Param>): readonly { readonly projection: { readonly weight: Param } }[] =>
  (params as { readonly [BESIDE]: readonly { readonly projection: { readonly weight: Param } }[] })[BESIDE];

/** The student as it learns, with its projections. */
const pupilOf = (pair: Pair, seed: number): Pupil => ({
  model: {
    ...pair.student,
    weights: { ...(pair.student.weights as object), [BESIDE]: projectionsOf(pair, seed) } as Tree<Weight>,
  },
  finish: (trained) => {
    const { [BESIDE]: _, ...weights } = trained.weights as { readonly [key: string]: Tree<Weight> };
    return { ...trained, weights };
  },
});

/** What is added to the loss of a batch's texts, a mean over their tokens -> []. */
const withinLoss = (pass: Pass, outputs: Traced["outputs"], pair: Pair, options: WithinOptions): Value => {
  const { params, batch } = pass;
  const { hidden = 0, relations = 0 } = options;
  const traced = { model: pair.student, params, outputs };
  const mask = maskOf(batch);
  const parts: Value[] = [];
  if (hidden > 0) {
    const states = layerStates(traced);
    const beside = besideIn(params);
    const losses = states.map((state, i) =>
      hiddenLoss(state, batch[nameOf(i)]!, dense(beside[i]!.projection.weight), mask),
    );
    parts.push(mul(sumOf(losses), hidden / losses.length));
  }
  if (relations > 0) {
    const heads = headsFor(pair);
    const mine = lastProjected(traced);
    const losses = PAIRS.map((part) => {
      const theirs = batch[relationName(part)]!;
      return relationLoss([mine[part], mine[part]], [theirs, theirs], mask, heads);
    });
    parts.push(mul(sumOf(losses), relations));
  }
  return sumOf(parts);
};

/** What the teacher says besides. */
const innerSaid = (traced: Traced, { student }: Pair, { hidden = 0, relations = 0 }: WithinOptions) => {
  const said: Record<string, Value> = {};
  if (hidden > 0) {
    const states = layerStates(traced);
    matched(layersOf(student), states.length).forEach((of, i) => {
      said[nameOf(i)] = states[of]!;
    });
  }
  if (relations > 0) {
    const projected = lastProjected(traced);
    for (const part of PAIRS) said[relationName(part)] = projected[part];
  }
  return said;
};

const innerTypes = (
  pair: Pair,
  { hidden = 0, relations = 0 }: WithinOptions,
  rows: number,
  context: number,
) => {
  const type = (width: number) => ({ dtype: "float32", shape: [rows, context, width] }) as const;
  const widths = projectedWidths(pair.teacher);
  const states = hidden > 0 ? layersOf(pair.student) : 0;
  return Object.fromEntries([
    ...Array.from({ length: states }, (_, i) => [nameOf(i), type(widthOf(pair.teacher))]),
    ...(relations > 0 ? PAIRS.map((part, i) => [relationName(part), type(widths[i]!)]) : []),
  ]);
};

/**
 * `base` with losses of what stands within both models, and the student as it learns them. Throws ConfigError
 * for models of two stacks, and for relations whose widths do not divide into the student's heads.
 */
export const teachingWithin = (
  base: Teaching,
  pair: Pair,
  options: WithinOptions,
): { readonly teaching: Teaching; pupil(seed: number): Pupil } => {
  const { objective } = base;
  if ((options.relations ?? 0) > 0) headsFor(pair);
  const taught: Objective = {
    ...objective,
    inputs: (shape) => ({
      ...objective.inputs(shape),
      ...innerTypes(pair, options, shape.batch * (objective.texts ?? 1), shape.context),
    }),
    passes: (pass) => {
      const { model, params, batch, memory } = pass;
      const outputs = batchOutputs(model, params, batch, memory);
      const { inputIds: _, seed: __, ...rest } = batch;
      const { total, count } = objective.totals(outputs, rest);
      return { total: add(total, mul(withinLoss(pass, outputs, pair, options), count)), count };
    },
  };
  const learnsBeside = (options.hidden ?? 0) > 0;
  return {
    teaching: {
      objective: taught,
      readsWeights: true,
      says: (outputs, batch, params) => ({
        ...base.says(outputs, batch, params),
        ...innerSaid({ model: pair.teacher, params, outputs }, pair, options),
      }),
    },
    pupil: (seed) =>
      learnsBeside ? pupilOf(pair, seed) : { model: pair.student, finish: (trained) => trained },
  };
};
