/** Models of few bits: what was rounded is neither rounded again nor pruned. */
import { isGguf } from "../../node/model/ggufFile.ts";
import { ConfigError } from "../../util/errors.ts";

/** Throws ConfigError for a GGUF file of few bits, as its name says; `done` is what is asked for. */
export const refuseRounded = async (dir: string, done: "rounded" | "pruned"): Promise<void> => {
  if (!(await isGguf(dir))) return;
  const type = /(?:^|[.-])(i?q\d\w*)\.gguf$/i.exec(dir)?.[1];
  if (type === undefined) return;
  const again = done === "rounded" ? "rounded again" : done;
  throw new ConfigError(`is ${type} already, by its name: what was rounded is not ${again}`, {
    file: dir,
    hint: `${done === "rounded" ? "quantize" : "prune"} the model that it was made of`,
  });
};
