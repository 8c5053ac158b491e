/**
 * Block influence (Men et al. 2024, "ShortGPT", https://arxiv.org/abs/2403.03853): how far a layer turns the
 * residual stream, 1 less the mean cosine of what goes into it and what comes out, over tokens. One pass over
 * some text tells all layers; what the absence of a layer costs (chooseLayers) takes a pass for each.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { LinearInfo } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { div, mul, sqrt } from "../../ops/elementwise.ts";
import { sum } from "../../ops/structure.ts";
import { optimize } from "../../rewrite/index.ts";
import { DataError } from "../../util/errors.ts";
import { matrixProgram } from "../probe.ts";
import { readersOf } from "../sites.ts";
import { productsOf, type Stream, streamOf } from "./streams.ts";

/** A layer of a stack: where its first writer adds to the stream, and its last. */
interface Ends {
  readonly first: Stream;
  readonly last: Stream;
}

const stackOf = (path: string): string => /^(.*?)\.\d+\./.exec(path)![1]!;

/** The layers of each stack, in order. */
const stacksOf = (infos: readonly LinearInfo[], streams: ReadonlyMap<string, Stream>): Ends[][] => {
  const stacks = new Map<string, Ends[]>();
  for (const { path, layer } of infos) {
    const stream = streams.get(path);
    if (stream === undefined) continue;
    const own = stacks.get(stackOf(path)) ?? [];
    own[layer!] = { first: own[layer!]?.first ?? stream, last: stream };
    stacks.set(stackOf(path), own);
  }
  return [...stacks.values()];
};

/** The mean cosine of rows of x and y [..., C] -> [], added up over rows. */
const cosines = (x: Value, y: Value): Value => {
  const dot = (a: Value, b: Value): Value => sum(mul(a, b), [-1]);
  return sum(div(dot(x, y), sqrt(mul(dot(x, x), dot(y, y)))));
};

/**
 * The influence of each layer on token ids [B, T] int32 of one shape; of pairs the mean of both stacks'.
 * Throws DataError naming the layer where numbers are not finite.
 */
export const blockInfluence = async (
  engine: Engine,
  model: Model,
  batches: readonly Tensor[],
): Promise<number[]> => {
  const program = optimize(matrixProgram(model, batches[0]!, {}));
  const readers = readersOf(program);
  const infos = model.arch.linears(model.config).filter(({ role }) => role === "o" || role === "down");
  const streams = new Map(
    Array.from(productsOf(program)).flatMap(([path, node]) => {
      const stream = streamOf(node, readers);
      return stream === undefined ? [] : [[path, stream] as const];
    }),
  );
  const stacks = stacksOf(infos, streams);
  const outputs = stacks.flatMap((stack) =>
    stack.map(({ first, last }, i) => cosines(first.residual, stack[i + 1]?.first.residual ?? last.sum)),
  );
  const { layers } = model.arch.cache(model.config);
  const totals = new Float64Array(layers);
  const named = Object.fromEntries(outputs.map((v, i) => [String(i), v]));
  const session = await compile(engine, { inputs: program.inputs, outputs: named });
  try {
    for (const ids of batches) {
      const out = await session.run({ ids });
      for (const [i] of outputs.entries()) totals[i % layers]! += Number(out[String(i)]!.data[0]);
    }
  } finally {
    await session.dispose();
  }
  const rows = batches.reduce((n, { data }) => n + data.length, 0) * stacks.length;
  return Array.from(totals, (total, layer) => {
    if (Number.isFinite(total)) return 1 - total / rows;
    throw new DataError("gives numbers that are not finite on the calibration text", {
      tensor: infos.find((info) => info.layer === layer)!.path,
      hint: "look at the weights of this layer and those before it",
    });
  });
};

/** The `keep` layers of most influence, by index, ascending. */
export const mostInfluential = (influence: readonly number[], keep: number): number[] =>
  Array.from(influence.keys())
    .sort((a, b) => influence[b]! - influence[a]! || a - b)
    .slice(0, keep)
    .sort((a, b) => a - b);
