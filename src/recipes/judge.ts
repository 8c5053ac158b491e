/** Judging candidates before the choice: each graph as it would be shipped, against its dense model. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../engine/engine.ts";
import { runTrial } from "../evaluate/parity/trial.ts";
import type { Model } from "../models/model.ts";
import { writeFileDurable } from "../node/files/checkpoints.ts";
import { decoderFiles } from "../ship/onnx/bundle.ts";
import { dtypes, type ShipDtype } from "../ship/onnx/dtype.ts";
import { requireParity } from "../ship/verify/parity.ts";
import { referenceOf } from "../ship/verify/reference.ts";
import { type DtypeParity, judged } from "../ship/verify/verify.ts";
import type { Corpus } from "./data/corpus.ts";
import type { Base, BaseParity } from "./optimize.ts";
import { sha256Of } from "./verify/shippedGraphs.ts";

/** Starts of held-out text, one prompt each, all of one length. */
export const promptsOf = ({ validation, tokenizer }: Corpus, count: number, length: number): number[][] => {
  const { tokens } = validation;
  const starts = [
    0,
    ...Array.from(tokens, (id, i) => (id === tokenizer.eos ? i + 1 : -1)).filter((i) => i >= 0),
  ];
  const fitting = starts.filter((i) => i + length < tokens.length);
  const usable = fitting.length > 0 ? fitting : [0];
  return usable.slice(0, count).map((i) => Array.from(tokens.subarray(i, i + length)));
};

/** Works on the decoding graph of `model` as a file that is gone afterwards. */
export const onGraphFile = async <T>(
  model: Model,
  work: (file: string, sizeBytes: number) => Promise<T>,
): Promise<T> => {
  const dir = await mkdtemp(join(tmpdir(), "anneal-"));
  try {
    let sizeBytes = 0;
    for (const [name, chunks] of decoderFiles(model, "model.onnx")) {
      await writeFileDurable(join(dir, name), chunks);
      sizeBytes += chunks.reduce((n, c) => n + c.byteLength, 0);
    }
    return await work(join(dir, "model.onnx"), sizeBytes);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
};

/**
 * Judges all forms of a dense model on this machine's processor, on starts of held-out text. Throws RunError
 * where the float32 graph does not compute what the training graph does.
 */
export const judgeOn =
  (engine: Engine, corpus: Corpus) =>
  async ({ dense, forms }: Base): Promise<BaseParity> => {
    const { positions } = dense.arch.cache(dense.config);
    const texts = promptsOf(corpus, 10, Math.min(16, positions >> 1));
    const reference = await referenceOf(engine, dense, { texts, count: texts.length });
    const found: Partial<Record<ShipDtype, DtypeParity>> = {};
    for (const dtype of Object.keys(dtypes) as ShipDtype[]) {
      found[dtype] = await onGraphFile(forms[dtype], async (file) => {
        const trial = await runTrial(reference, () => engine.load(file));
        if (dtype === "fp32") requireParity(trial);
        return { ...judged(dtype, trial), sha256: await sha256Of({ model: file }) };
      });
    }
    return found as BaseParity;
  };
