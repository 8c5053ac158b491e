/** Judging candidates before the choice: each graph as it would be shipped, against its dense model. */
import { writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Reference } from "../../evaluate/parity/reference.ts";
import { runTrial } from "../../evaluate/parity/trial.ts";
import type { Model } from "../../models/model.ts";
import { guarded } from "../../node/files/files.ts";
import { inScratch } from "../../node/files/scratch.ts";
import type { Base, BaseParity } from "../../search/candidates/candidate.ts";
import type { FormDtype } from "../../search/candidates/formats/format.ts";
import { type GraphPaths, graphNames } from "../../serve/graphs/graphs.ts";
import { graphFile, type ShipDtype } from "../../ship/onnx/dtype.ts";
import { formFiles } from "../../ship/onnx/export.ts";
import { requireParity } from "../../ship/verify/parity.ts";
import { referenceOf } from "../../ship/verify/reference.ts";
import { type DtypeParity, judged } from "../../ship/verify/verify.ts";
import type { Examples } from "../../tasks/records.ts";
import type { UserData } from "../data/userData.ts";
import { sha256Of } from "../verify/shippedFiles.ts";

/** Starts of held-out examples' token ids. */
const examplePrompts = ({ validation }: Examples, count: number, length: number): number[][] =>
  validation.slice(0, count).map(({ parts }) => Array.from(parts.ids ?? []).slice(0, length));

/** Starts of held-out texts, one prompt each, of at most `length` tokens; passages where texts are fewer. */
export const promptsOf = (
  { material, tokenizer }: Pick<UserData, "material" | "tokenizer">,
  count: number,
  length: number,
): number[][] => {
  if (material.kind === "pairs") {
    return material.validation.slice(0, count).map(({ source }) => Array.from(source).slice(0, length));
  }
  if (material.kind === "examples") return examplePrompts(material, count, length);
  const { validation: tokens } = material;
  const starts = [
    0,
    ...Array.from(tokens, (id, i) => (id === tokenizer.eos ? i + 1 : -1)).filter((i) => i >= 0),
  ];
  const fitting = starts.filter((i) => i + length < tokens.length);
  const usable = (fitting.length > 0 ? fitting : [0]).slice(0, count);
  // Few long texts: passages all along them, since a handful of rows tells little of a form.
  const [missing, room] = [count - usable.length, tokens.length - length];
  const passages = Array.from({ length: missing }, (_, i) => Math.floor(((i + 1) * room) / (missing + 1)));
  const all = new Set([...usable, ...passages.filter((i) => i > 0)]);
  return Array.from(all, (i) => Array.from(tokens.subarray(i, i + length)));
};

/** Works on the graphs of a form of a model as files that are gone afterwards. */
export const onGraphFiles = async <T>(
  form: Model,
  work: (graphs: GraphPaths, sizeBytes: number) => Promise<T>,
): Promise<T> =>
  inScratch("judge", async (dir) => {
    let sizeBytes = 0;
    for (const [path, chunks] of formFiles(form, "fp32")) {
      const file = join(dir, basename(path));
      await guarded("writing", file, () => writeFile(file, chunks));
      sizeBytes += chunks.reduce((n, c) => n + c.byteLength, 0);
    }
    const names = graphNames[form.arch.kind];
    const paths = names.map((name) => [name, join(dir, basename(graphFile(name, "fp32")))] as const);
    return work(Object.fromEntries(paths), sizeBytes);
  });

/**
 * Judges forms of a dense model on this machine's processor, on starts of held-out text. Throws RunError
 * where the float32 graph does not compute what the training graph does.
 */
export const judgeOn = (engine: Engine, data: UserData) => {
  const references = new WeakMap<Model, Promise<Reference>>();
  const referenceFor = (dense: Model): Promise<Reference> => {
    const { positions } = dense.arch.cache(dense.config);
    const texts = promptsOf(data, 10, Math.min(16, positions >> 1));
    const found = references.get(dense) ?? referenceOf(engine, dense, { texts, count: texts.length });
    references.set(dense, found);
    return found;
  };
  return async ({ dense, forms }: Base, only: readonly FormDtype[]): Promise<BaseParity> => {
    const reference = await referenceFor(dense);
    const found: Partial<Record<FormDtype, DtypeParity>> = {};
    for (const dtype of only) {
      found[dtype] = await onGraphFiles(forms[dtype]!, async (graphs) => {
        const trial = await runTrial(reference, (name) => engine.load(graphs[name]!));
        if (dtype === "fp32") requireParity(trial);
        return { ...judged(dtype as ShipDtype, trial), sha256: await sha256Of(graphs) };
      });
    }
    return found;
  };
};
