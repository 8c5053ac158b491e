/**
 * The training step as programs: forward, backward, clipping and the optimizer in one graph, or in two to
 * accumulate.
 */
import { grad } from "../autodiff/grad.ts";
import { compileStep, type Resident } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import { scalar, type Tensor, type TensorType, tensorOf } from "../ir/tensor.ts";
import type { Architecture, Model } from "../models/model.ts";
import { isPacked, type Weight } from "../nn/param.ts";
import { add, mul } from "../ops/elementwise.ts";
import { clipByGlobalNorm, clipByValue, globalNorm } from "../optim/clip.ts";
import { applyUpdates, chain, type Optimizer } from "../optim/transform.ts";
import { ConfigError } from "../util/errors.ts";
import { entries, leaves, mapTree, type Tree } from "../util/tree.ts";
import { type Bucket, bucket, unbucketed } from "./bucket.ts";
import type { Objective } from "./objective.ts";

export interface StepOptions {
  readonly batch: number;
  readonly context: number;
  readonly optimizer: Optimizer;
  readonly objective: Objective;
  /** Micro-batches whose gradients are averaged into one update. */
  readonly accumulate?: number;
  /** Largest global norm of the gradients; absent or 0 means no clipping. */
  readonly clipNorm?: number;
  /** Largest absolute value of a gradient's element. */
  readonly clipValue?: number;
}

type Types = Tree<TensorType>;

const f32: TensorType = { dtype: "float32", shape: [] };

const paramTypes = (model: Model): Types =>
  mapTree<Weight, TensorType>(model.weights, (w, path) => {
    if (isPacked(w)) {
      throw new ConfigError(`is ${w.kind}: only dense weights are trained`, { tensor: path });
    }
    return { dtype: w.dtype, shape: w.shape };
  });

const batchTypes = (model: Model, options: StepOptions) => {
  const { batch, context, objective } = options;
  const vocab = (model.config as { vocab_size: number }).vocab_size;
  return {
    inputIds: { dtype: "int32", shape: [batch, context] } as TensorType,
    seed: { dtype: "int32", shape: [] } as TensorType,
    ...objective.inputs({ batch, context, vocab }),
  };
};

/** How the step stores the params: joined where the optimizer allows it. */
const storage = (model: Model, options: StepOptions): Bucket =>
  (options.optimizer.elementwise ? bucket : unbucketed)(paramTypes(model));

/** Inputs of an objective that the model reads. */
const modelInputs = ["attentionMask", "tokenTypeIds", "positionIds", "decoderInputIds"] as const;

const lossOf = (
  model: Model,
  objective: Objective,
  params: Tree<Value>,
  batch: Readonly<Record<string, Value>>,
) => {
  const arch: Architecture = model.arch;
  const { inputIds, seed, ...rest } = batch;
  const given = Object.fromEntries(modelInputs.flatMap((name) => (rest[name] ? [[name, rest[name]]] : [])));
  const inputs = { inputIds: inputIds!, dropoutSeed: seed!, ...given };
  return objective.loss(arch.forward(params, inputs, model.config), rest);
};

/** Clipping, by value and then by norm, in front of the optimizer. */
const clipped = ({ clipValue, clipNorm, optimizer }: StepOptions): Optimizer =>
  chain(
    "step",
    ...(clipValue ? [clipByValue(clipValue)] : []),
    ...(clipNorm ? [clipByGlobalNorm(clipNorm)] : []),
    optimizer,
  );

interface State {
  readonly params: Tree<Value>;
  readonly opt: Tree<Value>;
  readonly lr: Value;
  readonly step: Value;
}

const updated = (options: StepOptions, gradients: Tree<Value>, { params, opt, lr, step }: State) => {
  const [changes, next] = clipped(options).update(gradients, opt, params, { lr, step });
  return { params: applyUpdates(params, changes), opt: next, gradNorm: globalNorm(gradients) };
};

/** One program for everything: state in `params` and `opt`, results `loss` and `gradNorm`. */
export const fusedStep = (model: Model, options: StepOptions): Program => {
  const { stored: params, unpack } = storage(model, options);
  const spec = {
    params,
    opt: clipped(options).state(params),
    batch: batchTypes(model, options),
    lr: f32,
    step: f32,
  };
  return trace(spec, (given) => {
    const { batch, ...state } = given as unknown as State & { batch: Record<string, Value> };
    const loss = lossOf(model, options.objective, unpack(state.params), batch);
    return { ...updated(options, grad(loss, state.params) as Tree<Value>, state), loss };
  }) as unknown as Program;
};

/** The first of two programs: adds a micro-batch's gradients to `grads`. */
export const gradStep = (model: Model, options: StepOptions): Program => {
  const { stored: params, unpack } = storage(model, options);
  return trace({ params, grads: params, batch: batchTypes(model, options) }, (given) => {
    const v = given as unknown as { params: Tree<Value>; grads: Tree<Value>; batch: Record<string, Value> };
    const loss = lossOf(model, options.objective, unpack(v.params), v.batch);
    const fresh = leaves<Value>(grad(loss, v.params) as Tree<Value>);
    let i = 0;
    return { grads: mapTree<Value, Value>(v.grads, (g) => add(g, fresh[i++]!)), loss };
  }) as unknown as Program;
};

/** The second: averages `grads` and updates. */
export const applyStep = (model: Model, options: StepOptions): Program => {
  const { stored: params } = storage(model, options);
  const spec = { params, opt: clipped(options).state(params), given: params, lr: f32, step: f32 };
  return trace(spec, (v) => {
    const { given, ...state } = v as unknown as State & { given: Tree<Value> };
    const share = 1 / (options.accumulate ?? 1);
    return updated(
      options,
      mapTree<Value, Value>(given, (g) => mul(g, share)),
      state,
    );
  }) as unknown as Program;
};

export interface StepResult {
  readonly loss: number;
  readonly gradNorm: number;
}

/** Something that trains: holds weights and optimizer state, and takes steps on them. */
export interface Stepper {
  /** One update from `accumulate` micro-batches (feeds without the "batch." prefix). `step` counts from 1. */
  run(micro: readonly Feeds[], lr: number, step: number): Promise<StepResult>;
  /** Weights by path; overwritten by later steps. */
  weights(): ReadonlyMap<string, Tensor>;
  /** Weights and optimizer state by input name ("params.x", "opt.y"). */
  state(): ReadonlyMap<string, Tensor>;
  load(state: ReadonlyMap<string, Tensor>): void;
  /** Undoes the last update. */
  revert(): void;
  dispose(): Promise<void>;
}

const named = (feeds: Feeds): Feeds =>
  Object.fromEntries(Object.entries(feeds).map(([key, t]) => [`batch.${key}`, t]));

const numberOf = (t: Tensor | undefined): number => Number(t!.data[0]);

const weightsOf = (state: ReadonlyMap<string, Tensor>, { view }: Bucket): Map<string, Tensor> => {
  const own = [...state].filter(([name]) => name.startsWith("params."));
  return view(new Map(own.map(([name, t]) => [name.slice("params.".length), t])));
};

const scalars = (lr: number, step: number): Feeds => ({ lr: scalar(lr), step: scalar(step) });

const whole = (resident: Resident, storage: Bucket): Stepper => ({
  async run([feeds], lr, step) {
    const out = await resident.run({ ...named(feeds!), ...scalars(lr, step) });
    return { loss: numberOf(out.loss), gradNorm: numberOf(out.gradNorm) };
  },
  weights: () => weightsOf(resident.state(), storage),
  state: () => resident.state(),
  load: (state) => resident.load(state),
  revert: () => resident.revert(),
  dispose: () => resident.dispose(),
});

const accumulated = (gradients: Resident, update: Resident, storage: Bucket): Stepper => ({
  async run(micro, lr, step) {
    for (const t of gradients.state().values()) (t.data as Float32Array).fill(0);
    const params = Object.fromEntries([...update.state()].filter(([name]) => name.startsWith("params.")));
    let loss = 0;
    for (const feeds of micro) {
      const out = await gradients.run({ ...named(feeds), ...params });
      loss += numberOf(out.loss) / micro.length;
    }
    const given = [...gradients.state()].map(([name, t]) => [name.replace(/^grads\./, "given."), t] as const);
    const out = await update.run({ ...Object.fromEntries(given), ...scalars(lr, step) });
    return { loss, gradNorm: numberOf(out.gradNorm) };
  },
  weights: () => weightsOf(update.state(), storage),
  state: () => update.state(),
  load: (state) => update.load(state),
  revert: () => update.revert(),
  async dispose() {
    await gradients.dispose();
    await update.dispose();
  },
});

/** Copies the model's weights into a stepper whose optimizer has seen nothing. */
const begin = (made: Stepper, model: Model): void => {
  const views = made.weights();
  for (const [path, w] of entries<Weight>(model.weights)) {
    (views.get(path)!.data as Float32Array).set((w as Tensor).data as Float32Array);
  }
};

/** Compiles the step for `engine` and loads the model's weights into it. */
export const stepper = async (engine: Engine, model: Model, options: StepOptions): Promise<Stepper> => {
  const stored = storage(model, options);
  const once = (options.accumulate ?? 1) === 1;
  const update = await compileStep(engine, (once ? fusedStep : applyStep)(model, options));
  const made = once
    ? whole(update, stored)
    : accumulated(await compileStep(engine, gradStep(model, options)), update, stored);
  begin(made, model);
  return made;
};

/** A dropout seed for a micro-batch: distinct for each (run seed, step, micro-batch). */
export const seedTensor = (seed: number, step: number, micro: number): Tensor =>
  tensorOf("int32", [], [(Math.imul(seed, 0x9e3779b1) + Math.imul(step, 0x85ebca6b) + micro) | 0]);
