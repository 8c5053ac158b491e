/**
 * Which matrices 4 bits cost too much: measured, a group at a time, by what becomes of the model's outputs on
 * a few texts. The others stand 4 bits together, for costs of groups add up nearly. (Outliers differ from
 * model to model, so no list of names holds: of SmolLM2-135M the value and down projections are the worst, of
 * MiniLM-L6 the value and the first feed-forward projections of the last layer.)
 */
import { compile } from "../engine/compile.ts";
import type { Engine, Session } from "../engine/engine.ts";
import { type Program, trace } from "../ir/program.ts";
import { type Tensor, type TensorType, tensor, tensorOf } from "../ir/tensor.ts";
import { type LinearInfo, packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { asConstants, isPacked, type Param, type Weight } from "../nn/param.ts";
import { cosineSum } from "../util/cosine.ts";
import { entries, flatten, mapTree, type Tree } from "../util/tree.ts";
import { int4Rounded } from "./int4.ts";
import { matrixOf } from "./matrix.ts";

/** What all groups of 4 bits together may take from the cosine of the outputs. */
const BUDGET = 0.007;
/** Rows of tokens that are read, and their length. */
const [ROWS, LENGTH] = [4, 64];

type Ids = readonly (readonly number[])[];

/** Tokens as rows of one length, [B, T]: the texts one behind the other, again and again. */
const rowsOf = (texts: Ids, positions: number): Tensor => {
  const all = texts.flat();
  const length = Math.max(1, Math.min(LENGTH, positions - 1));
  const ids = Array.from({ length: ROWS * length }, (_, i) => all[i % all.length] ?? 0);
  return tensorOf("int32", [ROWS, length], ids);
};

/** One kind of matrix in one third of the layers: "layers.*.mlp.up_proj.weight 2". */
const groupName = ({ path, layer }: LinearInfo, layers: number): string =>
  layer === undefined ? path : `${path.replace(`.${layer}.`, ".*.")} ${Math.floor((3 * layer) / layers)}`;

interface Group {
  readonly paths: string[];
  params: number;
  cost: number;
}

const groupsOf = (model: Model): Group[] => {
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const { layers } = model.arch.cache(model.config);
  const groups = new Map<string, Group>();
  for (const [path, info] of packable(model.arch.linears(model.config))) {
    const w = weights.get(path)!;
    const name = groupName(info, layers);
    const group = groups.get(name) ?? { paths: [], params: 0, cost: 0 };
    group.paths.push(path);
    group.params += w.shape.reduce((a, b) => a * b, 1);
    groups.set(name, group);
  }
  return [...groups.values()];
};

/** The forward pass on `ids` with the matrices as inputs, so that one session serves every group. */
const programOf = (model: Model, ids: Tensor, matrices: Readonly<Record<string, Tensor>>): Program => {
  const type = ({ dtype, shape }: Tensor): TensorType => ({ dtype, shape });
  const types = Object.fromEntries(Object.entries(matrices).map(([path, t]) => [path, type(t)]));
  return trace({ ids: type(ids), w: types }, ({ ids: inputIds, w }) => {
    const params = mapTree<Param, Param>(asConstants(model.weights), (c, path) => w[path] ?? c);
    const target = model.arch.kind === "seq2seq" ? { decoderInputIds: inputIds } : {};
    return { out: model.arch.forward(params, { inputIds, ...target }, model.config).logits };
  });
};

const measure = async (session: Session, feeds: Record<string, Tensor>, model: Model, groups: Group[]) => {
  const known = packable(model.arch.linears(model.config));
  const run = async (changed: Record<string, Tensor>): Promise<Float32Array> =>
    (await session.run({ ...feeds, ...changed })).out!.data as Float32Array;
  const whole = await run({});
  for (const group of groups) {
    const changed = group.paths.map((path) => {
      const w = feeds[`w.${path}`]!;
      const rounded = int4Rounded(matrixOf(path, w, known.get(path)!.layout));
      return [`w.${path}`, tensor("float32", w.shape, rounded)] as const;
    });
    const both = cosineSum();
    both.add(whole, await run(Object.fromEntries(changed)));
    group.cost = 1 - both.cosine();
  }
};

/**
 * Names of the matrices of a dense `model` that should keep 8 bits where the others take 4, on texts given as
 * token ids. Groups take 4 bits in the order of their cost for a param, while the sum stays in the budget.
 */
export const wideMatrices = async (engine: Engine, model: Model, texts: Ids): Promise<string[]> => {
  const known = packable(model.arch.linears(model.config));
  const matrices: Record<string, Tensor> = {};
  for (const [path, w] of entries<Weight>(model.weights)) {
    if (known.has(path) && !isPacked(w)) matrices[path] = w;
  }
  const groups = groupsOf(model);
  const ids = rowsOf(texts, model.arch.cache(model.config).positions);
  const session = await compile(engine, programOf(model, ids, matrices));
  try {
    const named = Object.entries(matrices).map(([path, t]) => [`w.${path}`, t]);
    await measure(session, { ids, ...Object.fromEntries(named) }, model, groups);
  } finally {
    await session.dispose();
  }
  let left = BUDGET;
  const wide: string[] = [];
  for (const group of groups.toSorted((a, b) => a.cost / a.params - b.cost / b.params)) {
    if (group.cost <= left) left -= group.cost;
    else wide.push(...group.paths);
  }
  return wide.sort();
};
