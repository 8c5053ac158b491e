/** What the card of a folder says whose model is one GGUF file: how it is run by llama.cpp and its kin. */
import { NONE } from "../../render/figures.ts";
import { fenced } from "../../render/markdown.ts";
import type { ReportCandidate } from "./model.ts";

/** The file of a form: the chosen one's, since others were measured and are not shipped. */
export const ggufFileOf = (
  { dtype }: Pick<ReportCandidate, "dtype">,
  { chosen, file }: { readonly chosen: ReportCandidate; readonly file: string },
): string => (dtype === chosen.dtype ? `\`${file}\`` : NONE);

/** Commands that run the file. */
export const ggufUsage = (file: string): string => {
  const ollama = [
    `echo 'FROM ./${file}' > Modelfile`,
    "ollama create this-model -f Modelfile",
    "ollama run this-model",
  ];
  return `With [llama.cpp](https://github.com/ggml-org/llama.cpp):

${fenced(`llama-cli -m "${file}" -p "Once" -n 40`, "sh")}

With [Ollama](https://ollama.com), in this folder:

${fenced(ollama.join("\n"), "sh")}

LM Studio and others load the file as it is. To compare it with the weights beside it again:

${fenced("npx anneal verify DIR --target llama.cpp", "sh")}`;
};
