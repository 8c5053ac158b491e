import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import { trace } from "../ir/program.ts";
import { tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import type { PoolingMode } from "./model.ts";
import { poolingModes, sentenceEmbedding } from "./pooling.ts";

interface Golden {
  readonly hidden: readonly number[];
  readonly mask: readonly number[];
  readonly vectors: Readonly<
    Record<PoolingMode, Readonly<Record<"pooled" | "normalized", readonly number[]>>>
  >;
}
const golden: Golden = JSON.parse(
  readFileSync(new URL("../../test/golden/pooling.json", import.meta.url), "utf8"),
);

const [B, T] = ["batch", "time"];

test("every way of pooling makes the vectors of sentence-transformers", async () => {
  const all = poolingModes.flatMap((mode) => [
    { mode, normalize: false },
    { mode, normalize: true },
  ]);
  const types = {
    hidden: { dtype: "float32", shape: [B, T, 4] },
    mask: { dtype: "int64", shape: [B, T] },
  } as const;
  const program = trace(types, ({ hidden, mask }) =>
    Object.fromEntries(
      all.map((pooling) => [
        `${pooling.mode}/${pooling.normalize}`,
        sentenceEmbedding(hidden, mask, pooling),
      ]),
    ),
  );
  const session = await compile(await nodeEngine({ threads: 1 }), program);
  const found = await session.run({
    hidden: tensorOf("float32", [3, 5, 4], golden.hidden),
    mask: tensorOf("int64", [3, 5], golden.mask),
  });
  await session.dispose();
  for (const { mode, normalize } of all) {
    const wanted = golden.vectors[mode][normalize ? "normalized" : "pooled"];
    const vectors = found[`${mode}/${normalize}`]!;
    expect(vectors.shape).toEqual([3, 4]);
    wanted.forEach((x, i) => {
      expect(vectors.data[i], `${mode} ${normalize} ${i}`).toBeCloseTo(x, 5);
    });
  }
});
