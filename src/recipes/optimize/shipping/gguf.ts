/** One GGUF file for llama.cpp in a folder, beside the weights and the tokenizer that it was made of. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inScratch } from "../../../node/files/scratch.ts";
import { targets, targetTitles } from "../../../node/targets/index.ts";
import type { Place } from "../../../node/targets/target.ts";
import type { Base, BaseParity, Candidate } from "../../../search/candidates/candidate.ts";
import type { Form } from "../../../search/candidates/formats/format.ts";
import { ggufOf, mixOf } from "../../../search/candidates/formats/gguf.ts";
import type { Optimized } from "../../../search/candidates/optimize.ts";
import { measuredValue, SIZE } from "../../../search/figures.ts";
import type { Files } from "../../../ship/onnx/files.ts";
import { modelFolder } from "../../../ship/onnx/modelFolder.ts";
import { allTargets, type DtypeParity, type ParityFile, statusOf } from "../../../ship/verify/verify.ts";
import { defined } from "../../../util/defined.ts";
import { version } from "../../context/version.ts";
import { machineName } from "../../verify/parityFile.ts";
import { promptsOf } from "../judge.ts";
import { LARGEST_START, SAMPLE_TOKENS, SAMPLED, SAMPLES } from "./graphs.ts";
import type { FolderParts, Samples, Shipping, ShippingOptions } from "./shipping.ts";

const NAME = "llama.cpp";

/** Longest that samples of one file may take, milliseconds. */
const PATIENCE_MS = 600_000;

const folderOf = (
  { data, source }: ShippingOptions,
  { dense, forms }: Base,
  { dtype, weights = true }: FolderParts,
): Files => {
  const files = modelFolder(dense, {
    ...{ tokenizer: data.tokenizer.files(), eos: data.tokenizer.eos, forms: {}, weights },
    ...(source === undefined ? {} : { source }),
  });
  const { fileName, chunks } = ggufOf(forms[dtype]!);
  files.set(fileName, [...chunks]);
  return files;
};

/** The file's own figures: files of other kinds are not shipped. */
const parityOf = ({ engine }: ShippingOptions, judged: BaseParity, files: Files): ParityFile => {
  const kinds = Object.entries(judged).map(([dtype, found]): [string, DtypeParity] => [
    mixOf(dtype as keyof BaseParity),
    found!,
  ]);
  const here = kinds.filter(([kind]) =>
    Array.from(files.keys()).some((name) => name.endsWith(`-${kind.toUpperCase()}.gguf`)),
  );
  const runtime = here[0]?.[1].engine;
  const dtypes = Object.fromEntries(here.map(([kind, { engine: _, ...found }]) => [kind, found]));
  const tried = { status: statusOf(dtypes), ...defined({ engine: runtime }), dtypes };
  return {
    format: 1,
    versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
    machine: machineName(),
    targets: allTargets({ [NAME]: tried }, { titles: targetTitles }),
  };
};

/** What a form's file writes on the first prompts. */
const samplesBy = async (
  place: Place,
  { data, options }: ShippingOptions,
  { name, form, dir }: { readonly name: string; readonly form: Form; readonly dir: string },
): Promise<Samples> => {
  const { tokenizer } = data;
  const { positions } = form.arch.cache(form.config);
  const file = join(dir, "sampled.gguf");
  await writeFile(file, ggufOf(form).chunks);
  const prompts = promptsOf(data, SAMPLES, Math.min(SAMPLE_TOKENS, positions >> 1));
  const how = { ...SAMPLED, prompts, stopIds: [tokenizer.eos], seed: options.seed };
  const found = await place.write!({ dtype: form.gguf!.type, graphs: { model: file } }, how);
  return found.map((ids, i) => ({
    name,
    prompt: tokenizer.decode(prompts[i]!),
    text: tokenizer.decode([...ids]),
  }));
};

const samplesOf = async (given: ShippingOptions, optimized: Optimized, base: Base): Promise<Samples> => {
  const { chosen } = optimized.choice;
  const start = optimized.candidates[0]!;
  const besides = start !== chosen && measuredValue(start, SIZE) <= LARGEST_START;
  const { threads } = given.engine;
  const place = await targets[NAME].open({ threads, timeoutMs: PATIENCE_MS, software: false });
  try {
    return await inScratch("samples", async (dir) => {
      const by = (name: string, form: Form) => samplesBy(place, given, { name, form, dir });
      const whole = besides ? await optimized.base(start.base) : undefined;
      return [
        ...(whole === undefined ? [] : await by(start.name, whole.forms[start.dtype]!)),
        ...(await by(chosen.name, base.forms[chosen.dtype]!)),
      ];
    });
  } finally {
    await place.close();
  }
};

/** How GGUF files are shipped. */
export const ggufShipping = (options: ShippingOptions): Shipping => ({
  folder: (base, parts) => folderOf(options, base, parts),
  parity: (judged, files) => parityOf(options, judged, files),
  samples: (optimized, base) => samplesOf(options, optimized, base),
  command: (dir, { dtype }: Candidate) => `llama-cli -m ${dir}/*-${mixOf(dtype).toUpperCase()}.gguf`,
});
