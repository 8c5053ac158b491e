/** What architectures say of their matrices, held against what their programs do with them. */
import { beforeAll, describe, expect, test } from "vitest";
import { quantized } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { isConstant, type Node, type Value } from "../src/ir/op.ts";
import { nodesOf, type Program, trace } from "../src/ir/program.ts";
import { tap } from "../src/ir/tap.ts";
import { type Tensor, tensorOf } from "../src/ir/tensor.ts";
import { type LinearInfo, packable } from "../src/models/linears.ts";
import type { Architecture, Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { asConstants, initialize, type ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { flatten, type Tree } from "../src/util/tree.ts";
import { encoderCases } from "./cases/encoders.ts";
import { modelCases } from "./cases/models.ts";
import { seq2seqCases } from "./cases/seq2seq.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [B, T] = [2, 5];
const ids = (name: string): Tensor => tensorOf("int32", [B, T], draw(name, B * T, 2, 20).map(Math.floor));

const modelOf = (arch: Architecture, json: unknown): Model => {
  const config = arch.parse(json);
  const specs = arch.params(config) as Tree<ParamSpec>;
  return { arch, config, weights: initialize(specs, 1), history: [] };
};

const programOf = ({ arch, config, weights }: Model): Program => {
  const type = { dtype: "int32", shape: [B, T] } as const;
  const target = arch.kind === "seq2seq" ? { decoderInputIds: type } : {};
  return trace({ inputIds: type, ...target }, (inputs) => {
    return { logits: arch.forward(asConstants(weights), inputs, config).logits };
  });
};

/** Ties, untied heads and gated MLPs are of other weights. */
const variants: Readonly<Record<string, readonly object[]>> = {
  t5: [{}, { tie_word_embeddings: false, feed_forward_proj: "gated-gelu" }],
  marian: [{}, { share_encoder_decoder_embeddings: false }, { tie_word_embeddings: false }],
};
const either = [{ tie_word_embeddings: true }, { tie_word_embeddings: false }];

const rows = Object.entries({ ...modelCases, ...encoderCases, ...seq2seqCases }).flatMap(
  ([name, { config }]) => {
    const arch = architectures[name]!;
    return Object.entries(arch.classes).flatMap(([head, kind]) =>
      (variants[name] ?? either).map((fields) => {
        const json = { ...config, ...fields, architectures: [kind] };
        return [`${name}, ${head}, ${JSON.stringify(fields)}`, arch, json] as const;
      }),
    );
  },
);

test("every architecture has a row", () => {
  // A table of token vectors is multiplied by nothing (e2e/static.test.ts).
  const others = Object.keys(architectures).filter((name) => name !== "model2vec");
  expect(new Set(rows.map(([, { name }]) => name))).toEqual(new Set(others));
});

describe.each(rows)("%s", (_, arch, json) => {
  const model = modelOf(arch, json);
  const linears = arch.linears(model.config);
  const specs = flatten<ParamSpec>(arch.params(model.config) as Tree<ParamSpec>);
  const multiplied = linears.filter(({ reads }) => reads !== undefined);
  const sizesOf = ({ path, layout }: LinearInfo) => {
    const [rows, columns] = specs.get(path)!.shape as [number, number];
    return layout === "kn" ? { k: rows, n: columns } : { k: columns, n: rows };
  };
  const program = programOf(model);
  const nodes = nodesOf(program);
  /** The nodes that read a weight. */
  const readers = (path: string): Node[] =>
    nodes.filter(({ inputs }) => inputs.some(({ node }) => isConstant(node) && node.attrs.name === path));

  test("names every matrix once, with a bias that fits", () => {
    const matrices = [...specs].filter(
      ([path, { shape }]) => shape.length === 2 && path !== "final_logits_bias",
    );
    expect(linears.map(({ path }) => path)).toEqual(matrices.map(([path]) => path));
    for (const info of linears) {
      if (info.bias === undefined) continue;
      expect(specs.get(info.bias)!.shape.at(-1), info.bias).toBe(sizesOf(info).n);
    }
    const biases = linears.flatMap(({ bias }) => bias ?? []);
    const own = [...specs.keys()].filter((path) => /bias$/.test(path) && !/norm|ln_\d|ln_f/i.test(path));
    // An embedding that is the head takes the bias of its own, which is no sibling.
    expect([...biases].sort()).toEqual(own.sort());
  });

  test("tells which are multiplied, and how they lie", () => {
    for (const { path, layout, reads, role } of linears) {
      const products = readers(path).filter(({ op }) => op.isProduct === true);
      if (role !== "embedding" && role !== "position") expect(readers(path), path).toEqual(products);
      expect(products, path).toHaveLength(reads === undefined ? 0 : 1);
      for (const { op, attrs } of products) {
        const transposed = op.name === "matmul" && (attrs as { transB: boolean }).transB;
        expect(transposed ? "nk" : "kn", path).toBe(layout);
      }
    }
  });

  test("matrices read the same where it says so, and only there", async () => {
    const session = await compile(
      engine,
      tap(
        program,
        multiplied.map(({ path }) => path),
      ),
    );
    const feeds = { inputIds: ids("source"), decoderInputIds: ids("target") };
    const out = await session.run(
      Object.fromEntries(session.inputNames.map((name) => [name, feeds[name as "inputIds"]])),
    );
    await session.dispose();
    const byReads = new Map<string, Set<string>>();
    for (const info of multiplied) {
      const read = out[`taps.${info.path}`]!;
      expect(read.shape.at(-1), info.path).toBe(sizesOf(info).k);
      const known = byReads.get(info.reads!) ?? new Set();
      byReads.set(info.reads!, known.add(Buffer.from((read.data as Float32Array).buffer).toString("base64")));
    }
    for (const [reads, values] of byReads) expect(values.size, reads).toBe(1);
    const all = [...byReads.values()].flatMap((values) => [...values]);
    expect(new Set(all).size).toBe(byReads.size);
  });

  test("taps packed weights as it does dense ones", () => {
    const paths = [...packable(multiplied).keys()];
    const packed = tap(programOf(quantized(model, { bits: 4, wide: paths.slice(0, 2) })), paths);
    const shapes = (p: Program) => (p.outputs as { taps: Record<string, Value> }).taps;
    for (const path of paths) {
      expect(shapes(packed)[path]!.shape.at(-1), path).toBe(shapes(tap(program, [path]))[path]!.shape.at(-1));
    }
  });
});

test("a weight that nothing is multiplied by is named", () => {
  const [, arch, json] = rows[0]!;
  expect(() => tap(programOf(modelOf(arch, json)), ["transformer.wpe.weight"])).toThrow(
    /tensor "transformer.wpe.weight": is multiplied by nothing in this program/,
  );
});
