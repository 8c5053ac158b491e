/** The head of a model by the class that its config.json names. */
import { ConfigError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import type { Architecture, Head, ModelConfig } from "./model.ts";

type Classes = Architecture["classes"];

const pairs = (classes: Classes): [Head, string][] => Object.entries(classes) as [Head, string][];

/** Whether a config names no class, or an empty list of them. */
export const namesNoClass = ({ architectures: given }: { readonly [key: string]: unknown }): boolean =>
  given == null || (Array.isArray(given) && given.length === 0);

/**
 * `architectures` of a config, checked against the classes that are known; the default class where absent.
 * Throws ConfigError naming the nearest class.
 */
export const architecturesField = (
  fields: { readonly [key: string]: unknown },
  classes: Classes,
): string[] => {
  const known = pairs(classes).map(([, name]) => name);
  const given = namesNoClass(fields) ? [known[0]] : fields.architectures;
  const [name] = Array.isArray(given) ? given : [];
  if (typeof name === "string" && known.includes(name)) return [name];
  const near = typeof name === "string" ? nearest(name, known) : undefined;
  throw new ConfigError(`is ${JSON.stringify(given)}, a class that is not known for this model type`, {
    field: "architectures",
    hint: `${near === undefined ? "" : `did you mean "${near}"? `}known: ${known.join(", ")}`,
  });
};

/** The head of a model of this config. Throws ConfigError where it names no class of the family. */
export const headOf = ({ classes }: Pick<Architecture, "classes">, config: ModelConfig): Head => {
  const found = pairs(classes).find(([, name]) => name === config.architectures[0]);
  if (found !== undefined) return found[0];
  throw new ConfigError("names no class of this model type", { field: "architectures" });
};
