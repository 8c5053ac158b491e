/** Judging and scoring candidates that are GGUF files: in llama.cpp itself, on the same held-out tokens. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import { encodeReference } from "../../evaluate/parity/reference.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Place, ScoredRows } from "../../node/targets/target.ts";
import type { Base, BaseParity } from "../../search/candidates/candidate.ts";
import type { FormDtype } from "../../search/candidates/formats/format.ts";
import { mixOf } from "../../search/candidates/formats/gguf.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { referenceOf } from "../../ship/verify/reference.ts";
import { type DtypeParity, judged } from "../../ship/verify/verify.ts";
import type { HeldOut } from "../../tasks/task.ts";
import type { UserData } from "../data/userData.ts";
import { sha256Of } from "../verify/shippedFiles.ts";
import type { FormFiles } from "./formFiles.ts";
import { promptsOf } from "./judge.ts";

/** Prompts, and tokens of each and of what follows: all logits of a token take some 20 ms to get. */
const [COUNT, LENGTH, TOKENS] = [8, 16, 16];

/** Where files run, and what they are judged on. */
export interface JudgingOptions {
  readonly engine: Engine;
  readonly data: UserData;
  readonly heldOut: HeldOut;
  readonly place: Place;
  readonly files: FormFiles;
  /** A folder for what they are compared with. */
  readonly dir: string;
}

/** The rows of held-out batches with what each token is to be. */
const rowsOf = ({ windows }: HeldOut): ScoredRows[] =>
  windows.map(({ inputIds, labels }) => ({
    ids: (inputIds as Tensor).data as Int32Array,
    labels: (labels as Tensor).data as Int32Array,
    length: (inputIds as Tensor).shape[1]!,
  }));

/** How GGUF files are judged and scored. */
export const judgingGguf = (given: JudgingOptions): Required<Pick<OptimizeOptions, "judge" | "scorer">> => {
  const { engine, data, heldOut, place, files, dir } = given;
  const references = new Map<Model, Promise<string>>();
  const write = async (dense: Model, path: string): Promise<string> => {
    const { positions } = dense.arch.cache(dense.config);
    const texts = promptsOf(data, COUNT, Math.min(LENGTH, positions >> 1));
    const computed = await referenceOf(engine, dense, { texts, count: texts.length, tokens: TOKENS });
    const split = texts.map((ids) => data.tokenizer.decode(ids));
    const own = split.map((text) => ({ text, ids: Array.from(data.tokenizer.encode(text)) }));
    await writeFile(path, encodeReference({ ...computed, texts: own }));
    return path;
  };
  const referenceFor = (dense: Model): Promise<string> => {
    const found = references.get(dense) ?? write(dense, join(dir, `reference-${references.size}`));
    references.set(dense, found);
    return found;
  };
  return {
    async judge({ dense, forms }: Base, only: readonly FormDtype[]): Promise<BaseParity> {
      const reference = await referenceFor(dense);
      const found: Partial<Record<FormDtype, DtypeParity>> = {};
      for (const dtype of only) {
        found[dtype] = await files.on(forms[dtype]!, async (graphs) => {
          const type = mixOf(dtype);
          const { engine: runtime, ...trial } = await place.trial({ dtype: type, graphs }, reference);
          return { ...judged(type, trial), engine: runtime, sha256: await sha256Of(graphs) };
        });
      }
      return found;
    },
    scorer: (form, onBatch) =>
      files.on(form, (graphs) => place.score!({ dtype: form.gguf!.type, graphs }, rowsOf(heldOut), onBatch)),
  };
};
