/**
 * Restoration after a cut, without training: of each attention and each MLP the matrix that writes into the
 * residual stream is fitted anew by least squares, so that the stream behind it is the whole model's on the
 * same text. (FASP, https://arxiv.org/abs/2501.09412, fits each product to its own former outputs; with the
 * stream as the target later layers make up for what earlier ones lost, as block reconstruction does.) Layers
 * are taken in order, each as those before it were restored. The fit is damped towards the weights that are
 * there, as much as batches that are held out ask for.
 */
import type { Engine } from "../../engine/engine.ts";
import { constant, type Value } from "../../ir/op.ts";
import type { Program } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { LinearInfo } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { tensorsOf, withTensors } from "../../nn/param.ts";
import { div, maximum, mul, sqrt, sub } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { defined } from "../../util/defined.ts";
import { apartOf } from "../calibration/batches.ts";
import type { Target } from "../calibration/sums.ts";
import { type Stop, walk } from "../calibration/walk.ts";
import { jointProgram, WHOLE } from "../joint.ts";
import { derived } from "../pass.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { readersOf, type Site, sitesOf } from "../sites.ts";
import { type FitSums, fitted } from "./leastSquares.ts";
import { productsOf, type Stream, streamOf } from "./streams.ts";
import { inputAxis } from "./units.ts";

/** What a cut model is restored by. */
export interface RestoreOptions {
  /** The model that it was cut out of. */
  readonly whole: Model;
  /** Token ids [B, T] int32 of one shape. */
  readonly batches: readonly Tensor[];
  /** Former indices of the layers that stayed; all of them unless told. */
  readonly layers?: readonly number[];
  /** Former channels of the hidden states that stayed; all of them unless told. */
  readonly channels?: readonly number[] | undefined;
  /**
   * Share of the mean of the moments' diagonal that is added to it; of each matrix what helps most on batches
   * that are held out unless told.
   */
  readonly damping?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told before the first matrix, and after each. */
  readonly onSite?: (done: number, of: number) => void | Promise<void>;
}

/** A restored model, and how many matrices were fitted. */
export interface Restored {
  readonly model: Model;
  readonly matrices: number;
  /** Matrices whose second moments were singular, with what it took to solve for them. */
  readonly notes: readonly string[];
}

/** The index of a layer in a path. */
const LAYER = /^(.*?\.)(\d+)(?=\.)/;

/** The whole model's matrix behind which its stream is what the cut one's is to be behind `info`. */
const counterpart = (info: LinearInfo, kept: readonly number[], layers: number): string => {
  const at = info.layer!;
  const next = (kept[at + 1] ?? layers) - 1;
  // Behind the MLP come the layers that are gone.
  return info.path.replace(LAYER, (_, stack: string) => stack + (info.role === "down" ? next : kept[at]!));
};

/** What the cut model is, for targets: its writing matrices, and the layers that stayed. */
interface Cut {
  readonly infos: ReadonlyMap<string, LinearInfo>;
  readonly given: ReadonlyMap<string, Tensor>;
  readonly kept: readonly number[];
  /** Of the whole model. */
  readonly layers: number;
  readonly channels: readonly number[] | undefined;
}

/** A site's product by the matrix as it is, apart: what follows reads the program's, once it is fitted. */
const productAt = ({ x, paths: [path] }: Site, { infos, given }: Cut): Value => {
  const transB = inputAxis(infos.get(path!)!) === 1;
  return matmul(x, constant(given.get(path!)!, `before.${path}`), { transB });
};

/**
 * What a token's row counts: 1 over the size of the whole model's stream there. Norms stand behind it, so
 * that an error matters as a part of the stream; the first tokens of a text, whose stream is a hundred times
 * as strong in many models, would decide everything else.
 */
const weightOf = (stream: Value): Value => {
  const square = div(sum(mul(stream, stream), [-1]), stream.shape.at(-1) as number);
  return div(1, sqrt(maximum(square, 1e-12)));
};

/** The channels of a stream [..., C] that stayed, [..., C']. */
const staying = (stream: Value, channels: readonly number[] | undefined): Value => {
  if (channels === undefined) return stream;
  const [all, some] = [stream.shape.at(-1) as number, channels.length];
  const chosen = new Float32Array(all * some);
  for (const [to, from] of channels.entries()) chosen[from * some + to] = 1;
  return matmul(stream, constant(tensor("float32", [all, some], chosen)));
};

/** What each site's product lacks; undefined for those that are left as they are. */
const lacksOf = (program: Program, cut: Cut) => {
  const { infos, kept, layers, channels } = cut;
  const readers = readersOf(program);
  const products = productsOf(program);
  const streamAt = (path: string): Stream | undefined => {
    const product = products.get(path);
    return product === undefined ? undefined : streamOf(product, readers);
  };
  const wholes = [...products.keys()].filter((path) => path.startsWith(WHOLE));
  // Where norms stand behind the sums nothing but they reads them: other layers' streams are of another kind.
  const isStream = wholes.some((path) => (readers.get(streamAt(path)?.sum as Value)?.length ?? 0) > 1);
  return (site: Site): Target | undefined => {
    const [path] = site.paths;
    const info = infos.get(path!)!;
    const own = info.path.replace(LAYER, (_, stack: string) => stack + kept[info.layer!]!);
    const stream = streamAt(WHOLE + (isStream ? counterpart(info, kept, layers) : own));
    const here = streamAt(path!);
    if (stream === undefined || here === undefined) return undefined;
    const target = sub(reshape(staying(stream.sum, channels), here.residual.shape), here.residual);
    const product = productAt(site, cut);
    return { value: sub(reshape(target, product.shape), product), weight: weightOf(stream.sum) };
  };
};

const hasGram = (moments: Stop["moments"]): moments is SecondMoments => "gram" in moments;

/** Sums that a matrix is fitted by; undefined where there is nothing to fit to. */
const sumsAt = ({ moments, cross }: Pick<Stop, "moments" | "cross">): FitSums | undefined =>
  cross === undefined || !hasGram(moments) ? undefined : { moments, cross };

/** A matrix that is fitted and its bias, by path, and what the user should know of it. */
const fitAt = (
  stop: Stop,
  {
    info,
    given,
    damping,
  }: { info: LinearInfo; given: ReadonlyMap<string, Tensor>; damping: number | undefined },
): { readonly tensors: ReadonlyMap<string, Tensor>; readonly notes: readonly string[] } => {
  const sums = sumsAt(stop);
  if (sums === undefined) return { tensors: new Map(), notes: [] };
  const { path, bias } = info;
  const w = given.get(path)!;
  const heldOut = stop.heldOut === undefined ? undefined : sumsAt(stop.heldOut);
  const how = { damping, biased: bias !== undefined, inputAxis: inputAxis(info) };
  const fit = fitted(w, { ...sums, ...how, ...(heldOut === undefined ? {} : { heldOut }) });
  const tensors = new Map([[path, tensor("float32", w.shape, fit.weight)]]);
  if (bias !== undefined) tensors.set(bias, tensor("float32", [fit.bias.length], fit.bias));
  const took = fit.damping.toPrecision(2);
  const singular = `${path}: second moments are singular, damped by ${took} of their mean`;
  return { tensors, notes: damping !== undefined && fit.damping > damping ? [singular] : [] };
};

/** The matrices that write into streams, with the tensors that are fitted: they and their biases. */
const writersOf = ({ arch, config, weights }: Model) => {
  const writers = arch.linears(config).filter(({ role }) => role === "o" || role === "down");
  const tensors = new Map(tensorsOf(weights));
  const paths = writers.flatMap(({ path, bias }) => (bias === undefined ? [path] : [path, bias]));
  return {
    infos: new Map(writers.map((info) => [info.path, info])),
    given: new Map(paths.map((path) => [path, tensors.get(path)!])),
  };
};

/**
 * The cut model with its writing matrices fitted. Those whose result is added to no stream stay as they are.
 * Throws DataError naming a layer that reads what is not finite.
 */
export const restored = async (engine: Engine, cut: Model, options: RestoreOptions): Promise<Restored> => {
  const { whole, batches, damping, signal, onSite, channels } = options;
  const { layers } = whole.arch.cache(whole.config);
  const { layers: kept = Array.from({ length: layers }, (_, i) => i) } = options;
  const { infos, given } = writersOf(cut);
  const program = jointProgram(cut, whole, { ids: batches[0]!, given });
  const sites = sitesOf(program).filter(({ paths: [path] }) => infos.has(path!));
  const found = new Map<string, Tensor>();
  const notes: string[] = [];
  const visit = async (stop: Stop): Promise<ReadonlyMap<string, Tensor>> => {
    const made = fitAt(stop, { info: infos.get(stop.site.paths[0]!)!, given, damping });
    for (const [path, t] of made.tensors) found.set(path, t);
    notes.push(...made.notes);
    await onSite?.(stop.index + 1, stop.count);
    return made.tensors;
  };
  const target = lacksOf(program, { infos, given, kept, layers, channels });
  const way = { matrices: Object.fromEntries(given), program, sites, batches };
  await onSite?.(0, sites.length);
  const heldOut = apartOf(batches.length);
  await walk(engine, way, { gram: true, signal, target, visit, heldOut });
  const pass = { name: "restore", options: { ...defined({ damping }) } };
  const model = derived(cut, pass, { weights: withTensors(cut.weights, found) });
  return { model, matrices: infos.size, notes };
};
