/** Codes of a model's matrices by any method, on calibration text where the method reads some. */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { ConfigError } from "../../util/errors.ts";
import { byColumn, type Matrix, matrixOf } from "../matrix.ts";
import { denseMatrices } from "../probe.ts";
import { reconstruct } from "../reconstruction/reconstruct.ts";
import { awqScales, type OutputError } from "../rounding/awq.ts";
import type { Codes, GridOptions, Rows } from "../rounding/codes.ts";
import { gptq } from "../rounding/gptq.ts";
import { needsText, type RoundingMethod, type RoundingName, roundingMethods } from "../rounding/methods.ts";
import type { Moments, SecondMoments } from "../rounding/moments.ts";
import { weighing } from "./batches.ts";
import { type Folded, foldFinder, withFolds } from "./folds.ts";
import { type InputMoments, inputMoments } from "./inputMoments.ts";
import { roundInTurn } from "./inTurn.ts";
import { errorsBy } from "./outputErrors.ts";
import { type Stop, walk, walkable } from "./walk.ts";

/** Which matrices are rounded, and how. */
export interface CodesOptions {
  readonly method: RoundingName;
  readonly grid: GridOptions;
  /** Grids of matrices that have others, by path. */
  readonly grids?: ReadonlyMap<string, GridOptions>;
  /** Matrices that are left as they are. */
  readonly except?: readonly string[];
  /** Token ids [B, T] int32 of one shape. */
  readonly batches?: readonly Tensor[] | undefined;
  /** What matrices read of them, where it is known; measured where a method asks for it. */
  readonly inputs?: InputMoments | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Of block reconstruction: steps for each block (100 unless told), and the seed of their batches (1). */
  readonly steps?: number;
  readonly seed?: number;
  /** Told after each site of a walk, and after each block that is reconstructed. */
  readonly onSite?: (done: number, of: number) => void;
}

/** Steps for each block unless told: twice as many take a twentieth more of a block's error. */
const RECONSTRUCTION_STEPS = 100;

/** A model that computes what it did, and codes of its matrices. */
export interface ModelCodes {
  /** The dense model, with scales folded in where the method has some. */
  readonly model: Model;
  readonly codes: ReadonlyMap<string, Codes>;
  /** What the user should know: matrices that were damped, sites that no fold serves. */
  readonly notes: readonly string[];
}

const rowsOf = (matrix: Matrix): Rows => ({ n: matrix.n, k: matrix.k, values: byColumn(matrix) });

/** Looks at what one site's products multiply by. */
type Visitor = (stop: Stop) => Promise<undefined>;

interface Made {
  readonly codes: Map<string, Codes>;
  readonly folds: Folded[];
  readonly notes: string[];
  readonly grids: CodesOptions["grids"];
  /** Matrices by path. */
  readonly matrices: ReadonlyMap<string, Matrix>;
}

const singular = (path: string, damping: number): string =>
  `${path}: second moments are singular, damped by ${damping.toPrecision(2)} of their mean`;

const roundAt = (
  path: string,
  rows: Rows,
  { method, grid, made }: { method: RoundingMethod; grid: GridOptions; made: Made },
  moments?: Moments | SecondMoments,
): Codes => {
  const { damping = 0.01, ...codes } = method.round(rows, made.grids?.get(path) ?? grid, moments);
  if (damping > 0.011) made.notes.push(singular(path, damping));
  made.codes.set(path, codes);
  return codes;
};

/** The moments of inputs that are divided by scales, as far as scale search reads them. */
const divided = ({ k, gram, ...moments }: SecondMoments, scales: Float64Array): SecondMoments => ({
  ...{ ...moments, k },
  squares: moments.squares.map((s, i) => s / (scales[i]! * scales[i]!)),
  gram: gram.map((s, at) => s / (scales[at % k]! * scales[Math.floor(at / k)]!)),
});

const folding = (
  made: Made,
  { method, grid }: { method: RoundingMethod; grid: GridOptions },
  { fold, errorOf }: { fold: ReturnType<typeof foldFinder>; errorOf: OutputError },
): Visitor => {
  let without = 0;
  return async ({ site, moments, index, count }) => {
    const found = fold(site);
    const own = site.paths.filter((path) => made.matrices.has(path));
    const scales =
      found === undefined || own.length === 0
        ? undefined
        : await awqScales(
            own.map((path) => rowsOf(made.matrices.get(path)!)),
            moments as SecondMoments,
            {
              ...grid,
              errorOf,
              settle: (rows, by) => method.round(rows, grid, divided(moments as SecondMoments, by)),
            },
          );
    if (scales === undefined || scales.power === 0) without += found === undefined ? 1 : 0;
    else made.folds.push({ fold: found!, paths: site.paths, scales: scales.scales });
    if (index === count - 1 && without > 0)
      made.notes.push(`${without} of ${count} inputs have nothing in front that takes scales`);
    return undefined;
  };
};

/** Where a method needs text and there is none: throws ConfigError. */
const checkText = ({ method, batches }: CodesOptions): void => {
  if (!needsText(roundingMethods[method]) || batches !== undefined) return;
  throw new ConfigError(`${method} looks at what layers read, and there is no text to show them`, {
    field: "quantize.method",
    hint: "name text with --data, or choose --method search, nearest or hqq",
  });
};

/** The matrices that are rounded. Throws ConfigError for weights that are NaN or infinite. */
const matricesIn = (model: Model, except: readonly string[]): Map<string, Matrix> => {
  const known = packable(model.arch.linears(model.config));
  return new Map(
    Object.entries(denseMatrices(model)).flatMap(([path, w]) =>
      except.includes(path) ? [] : [[path, matrixOf(path, w, known.get(path)!.layout)] as const],
    ),
  );
};

/**
 * Rounds the matrices of a dense model. Those that no product reads, or several inputs go through, are
 * rounded without moments. Throws ConfigError where the method needs text, and as `walk`.
 */
export const modelCodes = async (
  engine: Engine,
  model: Model,
  options: CodesOptions,
): Promise<ModelCodes> => {
  checkText(options);
  const { method: name, grid, grids, except = [], batches, signal, onSite } = options;
  const method: RoundingMethod = roundingMethods[name];
  const matrices = matricesIn(model, except);
  const made: Made = { codes: new Map(), folds: [], notes: [], grids, matrices };
  const rest = (): void => {
    for (const [path, matrix] of matrices) {
      if (!made.codes.has(path)) roundAt(path, rowsOf(matrix), { method, grid, made });
    }
  };
  if (method.reads === "nothing" || batches === undefined) {
    rest();
    return { model, codes: made.codes, notes: made.notes };
  }
  if (method.folds) {
    await findFolds(engine, model, made, options);
    const folded = withFolds(model, made.folds);
    const own = { ...made, matrices: matricesIn(folded, except) };
    await roundedInTurn(engine, folded, own, options);
    return { model: folded, codes: made.codes, notes: made.notes };
  }
  if (method.inTurn) await roundedInTurn(engine, model, made, options);
  else {
    const inputs = options.inputs ?? (await inputMoments(engine, model, weighing(batches), { signal }));
    for (const [done, [path, matrix]] of [...matrices].entries()) {
      signal?.throwIfAborted();
      roundAt(path, rowsOf(matrix), { method, grid, made }, inputs.get(path));
      onSite?.(done + 1, matrices.size);
    }
  }
  rest();
  if (method.reconstructs) await reconstructed(engine, model, made, { ...options, batches });
  return { model, codes: made.codes, notes: made.notes };
};

/** Rounds by GPTQ or scale search, each matrix towards what the dense model computes. Throws as `walk`. */
const roundedInTurn = (
  engine: Engine,
  model: Model,
  made: Made,
  { method: name, grid, batches = [], signal, onSite }: CodesOptions,
): Promise<void> => {
  const method = roundingMethods[name].folds ? roundingMethods.search : roundingMethods.gptq;
  return roundInTurn(engine, model, {
    ...{ matrices: made.matrices, batches, signal, onSite },
    round: (path, rows, read) => {
      const own = made.grids?.get(path) ?? grid;
      if (read === undefined || method.reads === "may")
        return roundAt(path, rows, { method, grid: own, made }, read?.moments);
      const { factor, moments } = read;
      if (factor.damping > 1.1 * factor.asked) made.notes.push(singular(path, factor.damping));
      const { damping: _, ...codes } = gptq(rows, moments, { ...own, factor });
      return codes;
    },
    keep: (path, codes) => made.codes.set(path, codes),
  });
};

/** Finds scales along a walk, where something takes them. Throws as `walk`. */
const findFolds = async (
  engine: Engine,
  model: Model,
  made: Made,
  { method: name, grid, batches = [], signal, onSite }: CodesOptions,
): Promise<void> => {
  const errors = errorsBy(engine);
  try {
    const way = walkable(model, batches);
    const method: RoundingMethod = roundingMethods[name];
    const round = folding(made, { method, grid }, { fold: foldFinder(model, way), errorOf: errors.of });
    await walk(engine, way, {
      ...{ signal, gram: true },
      visit: async (stop) => {
        await round(stop);
        onSite?.(stop.index + 1, stop.count);
        return undefined;
      },
    });
  } finally {
    await errors.dispose();
  }
};

/** Rounds matrices anew: those of blocks by learning, heads that are no tables by GPTQ. */
const reconstructed = async (
  engine: Engine,
  model: Model,
  made: Made,
  { steps = RECONSTRUCTION_STEPS, seed = 1, batches = [], signal, onSite }: CodesOptions,
): Promise<void> => {
  const known = packable(model.arch.linears(model.config));
  const settled = new Set([...known.keys()].filter((path) => known.get(path)!.role === "embedding"));
  const found = await reconstruct(engine, walkable(model, batches), {
    ...{ matrices: made.matrices, codes: made.codes, settled, steps, seed, signal },
    outside: (path, moments) => {
      const rows = rowsOf(made.matrices.get(path)!);
      const grid = made.codes.get(path)!;
      return roundAt(path, rows, { method: roundingMethods.gptq, grid, made }, moments);
    },
    ...(onSite === undefined ? {} : { onBlock: onSite }),
  });
  for (const [path, codes] of found) made.codes.set(path, codes);
};
