/**
 * Block reconstruction: block after block, matrices that are rounded already are rounded anew so that the
 * block computes what the dense model's does, given what rounded blocks in front of it make.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine, Feeds } from "../../engine/engine.ts";
import { constant, type Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { heldInputs, partOf } from "../calibration/part.ts";
import { type Held, momentsAt, type Walkable } from "../calibration/walk.ts";
import { byColumn, type Matrix } from "../matrix.ts";
import { type Codes, roundedTensor, startOf } from "../rounding/codes.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import type { Site } from "../sites.ts";
import { type Block, blocksIn } from "./blocks.ts";
import { type LearnOptions, learnBlock } from "./learn.ts";
import type { Lesson } from "./lesson.ts";

/** What is reconstructed. */
export interface ReconstructOptions extends LearnOptions {
  readonly matrices: ReadonlyMap<string, Matrix>;
  /** How they are rounded at first. */
  readonly codes: ReadonlyMap<string, Codes>;
  /** Matrices in no block that keep their first codes: tables, whose errors the blocks have made up for. */
  readonly settled: ReadonlySet<string>;
  /** Rounds another matrix that stands in no block, by what it reads of rounded ones. */
  readonly outside: (path: string, moments: SecondMoments) => Codes;
  readonly onBlock?: (done: number, of: number) => void;
}

type Matrices = Readonly<Record<string, Tensor>>;

const feedsAt = (held: Held, ids: Tensor, batch: number): Feeds =>
  Object.fromEntries([
    ["ids", ids],
    ...[...held.values()].map((tensors, i) => [`held.${i}`, tensors[batch]!] as const),
  ]);

/** A block's outputs for each batch. */
const outputsOf = async (
  engine: Engine,
  { program, batches }: Walkable,
  { outputs }: Block,
  { held, matrices }: { readonly held: Held; readonly matrices: Matrices },
): Promise<Map<Value, Tensor[]>> => {
  const named = Object.fromEntries(outputs.map((v, i) => [String(i), v]));
  const session = await compile(engine, partOf(program, named, held.keys(), matrices));
  const made = new Map<Value, Tensor[]>(outputs.map((v) => [v, []]));
  try {
    for (const [b, ids] of batches.entries()) {
      const feeds = Object.entries(feedsAt(held, ids, b));
      const out = await session.run(
        Object.fromEntries(feeds.filter(([name]) => session.inputNames.includes(name))),
      );
      for (const [i, v] of outputs.entries()) made.get(v)!.push(out[i]!);
    }
  } finally {
    await session.dispose();
  }
  return made;
};

/** The mean squared difference of a block's outputs from the dense model's, summed over the outputs. */
const distance = (made: Held, wanted: Held): number => {
  let sum = 0;
  for (const [v, tensors] of made) {
    let [own, count] = [0, 0];
    for (const [b, { data }] of tensors.entries()) {
      const want = wanted.get(v)![b]!.data as Float32Array;
      for (let i = 0; i < want.length; i++) own += ((data as Float32Array)[i]! - want[i]!) ** 2;
      count += want.length;
    }
    sum += own / count;
  }
  return sum;
};

/** The held values that later blocks read. */
const stillRead = (held: Held, later: readonly Value[]): Held => {
  const read = new Set<Value>();
  const seen = new Set<Value>();
  const open = [...later];
  for (let v = open.pop(); v !== undefined; v = open.pop()) {
    if (seen.has(v)) continue;
    seen.add(v);
    if (held.has(v)) read.add(v);
    else open.push(...v.node.inputs);
  }
  return new Map([...held].filter(([v]) => read.has(v)));
};

const feedsOf = (held: Held, target: Held, batches: readonly Tensor[]): Feeds[] =>
  batches.map((ids, b) => ({
    ...feedsAt(held, ids, b),
    ...Object.fromEntries([...target.values()].map((tensors, i) => [`target.${i}`, tensors[b]!])),
  }));

const lessonsOf = (
  { paths }: Block,
  { matrices, codes }: Pick<ReconstructOptions, "matrices" | "codes">,
): Lesson[] =>
  paths.flatMap((path) => {
    const [matrix, own] = [matrices.get(path), codes.get(path)];
    if (matrix === undefined || own === undefined) return [];
    const rows = startOf({ n: matrix.n, k: matrix.k, values: byColumn(matrix) }, own);
    return [{ path, rows, codes: own, turned: matrix.stepK !== 1 }];
  });

/** Where a reconstruction is: what is known of the dense model, and of the rounded one. */
interface Place {
  readonly dense: Held;
  readonly own: Held;
  /** Matrices as the rounded model has them. */
  readonly rounded: Matrices;
}

/** One block: its new codes, and both models' values behind it. */
const reconstructBlock = async (
  engine: Engine,
  way: Walkable,
  block: Block,
  { dense, own, rounded, ...options }: Place & ReconstructOptions,
) => {
  const target = await outputsOf(engine, way, block, { held: dense, matrices: way.matrices });
  const before = await outputsOf(engine, way, block, { held: own, matrices: rounded });
  const task = {
    outputs: block.outputs,
    ids: (way.program.inputs as Record<string, Value>).ids!,
    held: heldInputs(own.keys()),
    matrixAt: (path: string) => constant(rounded[path]!, path),
    feeds: feedsOf(own, target, way.batches),
  };
  const codes = await learnBlock(engine, lessonsOf(block, options), task, options);
  const learnt = Array.from(codes, ([path, made]) => {
    return [path, roundedTensor(options.matrices.get(path)!, made)] as const;
  });
  const matrices = { ...rounded, ...Object.fromEntries(learnt) };
  const after = await outputsOf(engine, way, block, { held: own, matrices });
  return distance(after, target) < distance(before, target)
    ? { codes, rounded: matrices, target, made: after }
    : { codes: new Map<string, Codes>(), rounded, target, made: before };
};

/** Sites of matrices that stand in no block and that nothing else multiplies by. */
const outsideOf = (
  { sites }: Walkable,
  blocks: readonly Block[],
  { codes, settled }: Pick<ReconstructOptions, "codes" | "settled">,
): Site[] => {
  const inside = new Set(blocks.flatMap(({ paths }) => paths));
  const all = sites.flatMap(({ paths }) => paths);
  const once = (path: string): boolean => all.indexOf(path) === all.lastIndexOf(path);
  return sites.flatMap((site) => {
    const isOpen = (path: string): boolean => codes.has(path) && !inside.has(path) && !settled.has(path);
    const paths = site.paths.filter((path) => isOpen(path) && once(path));
    return paths.length === 0 ? [] : [{ ...site, paths }];
  });
};

/**
 * Codes of a model's matrices, by path. A block whose outputs learning brings no nearer on the whole text
 * keeps its first codes.
 */
export const reconstruct = async (
  engine: Engine,
  way: Walkable,
  options: ReconstructOptions,
): Promise<ReadonlyMap<string, Codes>> => {
  const { matrices, codes, signal, onBlock } = options;
  const found = new Map<string, Codes>();
  const blocks = blocksIn(way.program, Object.keys(way.matrices)).filter(({ paths }) =>
    paths.some((path) => codes.has(path)),
  );
  const outside = outsideOf(way, blocks, options);
  const first = Array.from(codes, ([path, own]) => [path, roundedTensor(matrices.get(path)!, own)] as const);
  let rounded: Matrices = { ...way.matrices, ...Object.fromEntries(first) };
  let [dense, own]: [Held, Held] = [new Map(), new Map()];
  for (const [index, block] of blocks.entries()) {
    const made = await reconstructBlock(engine, way, block, { ...options, dense, own, rounded });
    rounded = made.rounded;
    for (const [path, learnt] of made.codes) found.set(path, learnt);
    const later = [
      ...blocks.slice(index + 1).flatMap(({ outputs }) => outputs),
      ...outside.map(({ x }) => x),
    ];
    dense = stillRead(new Map([...dense, ...made.target]), later);
    own = stillRead(new Map([...own, ...made.made]), later);
    onBlock?.(index + 1, blocks.length);
  }
  for (const site of outside) {
    const read = stillRead(own, [site.x]);
    const about = { site, held: read, gram: true, signal } as const;
    const moments = await momentsAt(engine, { ...way, matrices: rounded }, about);
    for (const path of site.paths) found.set(path, options.outside(path, moments as SecondMoments));
  }
  return found;
};
