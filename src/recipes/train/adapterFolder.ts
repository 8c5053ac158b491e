/** A trained adapter's folder: PEFT's files, what its base was, and how it is used. */
import { adapterFiles } from "../../adapters/index.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { writeFolder } from "../../node/files/checkpoints.ts";
import { type AdapterBase, weightHashes } from "../../node/model/adapters.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import type { RunOptions } from "../config/options.ts";
import { version } from "../context/version.ts";
import type { Method } from "./method.ts";

const baseOf = (base: Model): AdapterBase => {
  const task = headOf(base.arch, base.config);
  const { id2label, problem_type: problem } = base.config as {
    readonly id2label?: Readonly<Record<string, string>>;
    readonly problem_type?: string | null;
  };
  const labels = task.endsWith("classification") && id2label ? { labels: Object.values(id2label) } : {};
  return { task, ...labels, ...(problem ? { problem } : {}), hashes: weightHashes(base) };
};

const card = (base: string, adapters: readonly string[]): string => `---
library_name: peft
base_model: ${JSON.stringify(base)}
tags: [lora]
---

An adapter in the format of PEFT, on ${base}${adapters.map((dir) => ` and ${dir}`).join("")}.

\`\`\`sh
npx anneal eval ${base}${[...adapters, "THIS_FOLDER"].map((dir) => ` --adapter ${dir}`).join("")}
\`\`\`
`;

/** Writes what `method` trained to the folder `dir`, whole or not at all. Throws as `adapterFiles` does. */
export const writeAdapter = async (
  dir: string,
  { adapter }: Method,
  trained: Model,
  { options, command }: { readonly options: RunOptions; readonly command: string },
): Promise<void> => {
  const { base, unmerged, saved, bias } = adapter!;
  const { from, adapters } = options.model;
  const files = adapterFiles(unmerged(trained), {
    ...{ base: from, bias },
    ...(saved.length > 0 ? { saved } : {}),
  });
  const made = { version, command, recipe: options, history: trained.history, base: baseOf(base), adapters };
  files.set("README.md", [new TextEncoder().encode(card(from, adapters))]);
  files.set("anneal.json", [jsonBytes(made)]);
  await writeFolder(dir, files);
};
