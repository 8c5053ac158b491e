/** Distributions that are carried over to the tokens of another tokenizer. */
import { expect, test } from "vitest";
import { modelOf } from "../../../test/e2e/exported.ts";
import { compile } from "../../engine/compile.ts";
import type { Feeds } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { tensor } from "../../ir/tensor.ts";
import { asConstants } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { logSoftmax } from "../../ops/reduce.ts";
import { alignedTeaching } from "../../tasks/teaching/aligned.ts";
import { charTokenizer, trainBpe } from "../../tokenizer/index.ts";
import { alignedTeacher, carriedTo } from "./alignedTeacher.ts";
import { teacherOf } from "./teacher.ts";

const letters = charTokenizer("the quick brown fox");

test("a teacher of the same tokens says its own distribution wherever it has read something", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const teacher = modelOf("gpt2", "causal-lm", { vocab_size: letters.vocabSize });
  const teaching = alignedTeaching({ alpha: 1, temperature: 1 });
  const both = { student: letters, teacher: letters };
  const asked = alignedTeacher(teacherOf(engine, { teacher, teaching }), { teacher, student: teacher }, both);
  const ids = Array.from(letters.encode("the fox the quick"));
  const batch: Feeds = {
    inputIds: tensor("int32", [1, 16], Int32Array.from(ids.slice(0, 16))),
    labels: tensor("int32", [16], Int32Array.from(ids.slice(1))),
  };
  const { teacherLogits, matched } = await asked.told(batch);
  await asked.dispose();
  expect(Array.from(matched!.data as Float32Array)).toEqual(new Array(16).fill(1));
  const program = trace({ x: { dtype: "int32", shape: [1, 16] } }, ({ x }) => ({
    out: logSoftmax(
      teacher.arch.forward(asConstants(teacher.weights), { inputIds: x }, teacher.config).logits,
    ),
  }));
  const session = await compile(engine, program);
  const { out } = await session.run({ x: batch.inputIds! });
  await session.dispose();
  const known = Array.from({ length: letters.vocabSize }, (_, id) => id).filter(
    (id) => letters.bytesOf(id).length > 0 || id === letters.eos,
  );
  for (let t = 0; t < 16; t++) {
    const row = (data: ArrayLike<number>) => known.map((id) => data[t * letters.vocabSize + id]!);
    const [got, want] = [teacherLogits!.data, out!.data].map((data) => row(data as Float32Array));
    // Tokens that are no text have no share.
    const all = Math.log(want!.reduce((sum, v) => sum + Math.exp(v), 0));
    for (const [i, v] of got!.entries()) expect(Math.abs(v - (want![i]! - all))).toBeLessThan(1e-4);
  }
});

test("each token counts for the first one that spells it", () => {
  const words = trainBpe(["the quick brown fox the quick brown fox"], { vocab: 280 });
  const to = carriedTo(words.vocabSize, { student: letters, teacher: words });
  const spelled = (id: number) => new TextDecoder().decode(words.bytesOf(id));
  for (let id = 0; id < words.vocabSize; id++) {
    const text = spelled(id);
    if (/^[a-z ]+$/.test(text) && /^[the quickbrownfx ]+$/.test(text))
      expect(to[id], text).toBe(letters.encode(text)[0]);
  }
  expect(to[words.eos]).toBe(letters.eos);
});
