import { test } from "vitest";
import { trace, print } from "../../src/ir/program.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { compile } from "../../src/engine/compile.ts";
import { nodeEngine } from "../../src/node/engine.ts";
import { gpt2, gpt2Config } from "../../src/models/gpt2.ts";
import { initialize } from "../../src/nn/param.ts";
import { languageModelling } from "../../src/train/objective.ts";
import { flatten, mapTree, leaves } from "../../src/util/tree.ts";
import { tensorOf } from "../../src/ir/tensor.ts";
import { uniform } from "../../src/ops/random.ts";
test("x", async () => {
  const engine = await nodeEngine();
  const u = trace({ seed: { dtype: "int32", shape: [] } as any }, (i: any) => ({ u: uniform(i.seed, "a", [1000]) }));
  const us = await compile(engine, u as any);
  const uo = await us.run({ seed: tensorOf("int32", [], [5]) });
  const d = Array.from(uo.u!.data as Float32Array);
  console.log(d.slice(0, 5), d.reduce((a, b) => a + b) / 1000);
  const config = gpt2Config({ vocab_size: 65, n_positions: 64, n_embd: 128, n_layer: 4, n_head: 4, resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0 });
  const spec = gpt2.params(config);
  const w = initialize(spec as any, 1);
  const B = 12, T = 64;
  const prog = trace({ params: mapTree(spec, (s: any) => ({ dtype: s.dtype, shape: s.shape })) as any, ids: { dtype: "int32", shape: [B, T] } as any, labels: { dtype: "int32", shape: [B * T] } as any }, (i: any) => {
    const out = gpt2.forward(i.params, { inputIds: i.ids }, config);
    const loss = languageModelling.loss(out, { labels: i.labels });
    return { loss, g: grad(loss, i.params) };
  });
  console.log(print(prog as any).split("\n").length);
  const s = await compile(engine, prog as any);
  const feeds: any = { ids: tensorOf("int32", [B, T], Array.from({ length: B * T }, (_, i) => (i * 7) % 65)), labels: tensorOf("int32", [B * T], Array.from({ length: B * T }, (_, i) => ((i + 1) * 7) % 65)) };
  for (const [k, t] of flatten(w as any)) feeds["params." + k] = t;
  for (let i = 0; i < 5; i++) { const t0 = performance.now(); const o = await s.run(feeds); console.log(o.loss!.data[0], performance.now() - t0); }
});
