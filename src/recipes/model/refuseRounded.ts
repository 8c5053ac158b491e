/** Models of few bits: what was rounded is neither rounded again nor pruned, and teaches nobody. */
import { isGguf } from "../../node/model/ggufFile.ts";
import { ConfigError } from "../../util/errors.ts";

const words = {
  rounded: ["is not rounded again", "quantize"],
  pruned: ["is not pruned", "prune"],
  teaches: ["is no teacher", "distill from"],
} as const;

/** Throws ConfigError for a GGUF file of few bits, as its name says; `done` is what is asked for. */
export const refuseRounded = async (dir: string, done: keyof typeof words): Promise<void> => {
  if (!(await isGguf(dir))) return;
  const type = /(?:^|[.-])(i?q\d\w*)\.gguf$/i.exec(dir)?.[1];
  if (type === undefined) return;
  const [not, what] = words[done];
  throw new ConfigError(`is ${type} already, by its name: what was rounded ${not}`, {
    file: dir,
    hint: `${what} the model that it was made of`,
  });
};
