/** From a config.json and tensors to a model, with everything that does not fit named at once. */

import { sameShape } from "../ir/shape.ts";
import { shapeText, type Tensor } from "../ir/tensor.ts";
import type { ParamSpec } from "../nn/param.ts";
import { ConfigError, FormatError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { entries, mapTree, type Tree } from "../util/tree.ts";
import type { Model } from "./model.ts";
import { architectures } from "./registry.ts";

/** Most problems that one error lists. */
const LISTED = 8;

const architectureOf = (config: unknown) => {
  const type = (config as { model_type?: unknown } | null)?.model_type;
  const found =
    typeof type === "string" && Object.hasOwn(architectures, type) ? architectures[type] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(architectures);
  const near = typeof type === "string" ? nearest(type, known) : undefined;
  throw new ConfigError(`is ${JSON.stringify(type)}, an architecture that is not known`, {
    file: "config.json",
    field: "model_type",
    hint:
      near === undefined
        ? `known: ${known.join(", ")}`
        : `did you mean "${near}"? known: ${known.join(", ")}`,
  });
};

const problems = (specs: Tree<ParamSpec>, tensors: ReadonlyMap<string, Tensor>): string[] => {
  const list: string[] = [];
  const wanted = new Map(entries<ParamSpec>(specs));
  for (const [name, spec] of wanted) {
    const t = tensors.get(name);
    if (t === undefined) list.push(`${name} is missing (expected ${shapeText(spec.shape)})`);
    else if (t.dtype !== "float32") list.push(`${name} is ${t.dtype} (expected float32)`);
    else if (!sameShape(t.shape, spec.shape)) {
      list.push(`${name} is ${shapeText(t.shape)} (expected ${shapeText(spec.shape)})`);
    }
  }
  for (const name of tensors.keys()) if (!wanted.has(name)) list.push(`${name} is not part of the model`);
  return list;
};

/** The model of a config and its tensors. Throws ConfigError, or FormatError listing what does not fit. */
export const modelOf = (config: unknown, tensors: ReadonlyMap<string, Tensor>, file: string): Model => {
  const arch = architectureOf(config);
  const parsed = arch.parse(config);
  const specs = arch.params(parsed) as Tree<ParamSpec>;
  const list = problems(specs, tensors);
  if (list.length > 0) {
    const more = list.length > LISTED ? `; and ${list.length - LISTED} more` : "";
    throw new FormatError(`does not fit its config: ${list.slice(0, LISTED).join("; ")}${more}`, { file });
  }
  const weights = mapTree<ParamSpec, Tensor>(specs, (_, name) => tensors.get(name)!);
  return { arch, config: parsed, weights, history: [] };
};
