/**
 * Which tensor of a checkpoint becomes which weight, known from names and shapes alone: nothing large is read
 * or made for a checkpoint that does not fit. A head that the checkpoint lacks is made anew where another
 * task or other labels are asked for; what falls away with the old one is kept as a list.
 */
import { sameShape } from "../ir/shape.ts";
import { type DType, shapeText, type Tensor } from "../ir/tensor.ts";
import type { ParamSpec } from "../nn/param.ts";
import { ConfigError, FormatError } from "../util/errors.ts";
import { flatten, type Tree } from "../util/tree.ts";
import {
  architectureOf,
  CONFIG,
  type ConfigJson,
  inFile,
  type LoadOptions,
  refuseForeign,
  retarget,
} from "./checkpointConfig.ts";
import type { Architecture, ModelConfig } from "./model.ts";
import { taskOf } from "./task.ts";

/** Most problems that one error lists. */
const LISTED = 8;

/** Dtypes that a weight may have in a file; all become float32. */
const floats = new Set<DType>(["float32", "float16", "bfloat16"]);

/** What a file says of a tensor before it is read. */
export type TensorHeader = Pick<Tensor, "dtype" | "shape">;

export interface LoadPlan {
  readonly arch: Architecture;
  readonly config: ModelConfig;
  readonly specs: Tree<ParamSpec>;
  /** Name of a weight -> name of its tensor in the checkpoint. */
  readonly sources: ReadonlyMap<string, string>;
  /** Weights that the checkpoint does not have, because its head is another. */
  readonly initialized: readonly string[];
  /** The checkpoint's tensors of a head that the model does not have. */
  readonly dropped: readonly string[];
  readonly seed: number;
}

type Specs = ReadonlyMap<string, ParamSpec>;

/** The weights of each head that an architecture has, by the same config. */
const headsOf = (arch: Architecture, json: ConfigJson): Specs[] =>
  Object.values(arch.classes).map((name) =>
    flatten<ParamSpec>(arch.params(arch.parse({ ...json, architectures: [name] })) as Tree<ParamSpec>),
  );

interface Target {
  readonly arch: Architecture;
  readonly json: ConfigJson;
  readonly config: ModelConfig;
  readonly wanted: Specs;
}

/** What a checkpoint's name is called here; null: of no use for this config; undefined: not known. */
const nameIn = ({ arch, config, wanted }: Target, name: string): string | null | undefined => {
  const names = arch.base === undefined ? [name] : [name, `${arch.base}.${name}`];
  let none: null | undefined;
  for (const one of names) {
    const renamed = arch.rename === undefined ? one : arch.rename(one, config);
    if (renamed !== null && wanted.has(renamed)) return renamed;
    if (renamed === null) none = null;
  }
  return none;
};

interface Match {
  readonly sources: Map<string, string>;
  readonly unused: string[];
  readonly unknown: string[];
}

const match = (target: Target, headers: Iterable<string>, file: string): Match => {
  const found: Match = { sources: new Map(), unused: [], unknown: [] };
  for (const source of headers) {
    const name = nameIn(target, source);
    if (name === null) found.unused.push(source);
    else if (name === undefined) found.unknown.push(source);
    else if (found.sources.has(name)) {
      const other = found.sources.get(name);
      throw new FormatError(`is given twice, as "${other}" and as "${source}"`, { file, tensor: name });
    } else found.sources.set(name, source);
  }
  return found;
};

/** The checkpoint's own reading of itself; undefined for a class that is not known. */
const ownTarget = (arch: Architecture, json: ConfigJson): Target | undefined => {
  try {
    const config = arch.parse(json);
    return { arch, json, config, wanted: flatten<ParamSpec>(arch.params(config) as Tree<ParamSpec>) };
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
};

/** Which weights the checkpoint may lack, and which of its tensors may be left over. */
interface Leeway {
  isNew(name: string): boolean;
  isHead(source: string): boolean;
  /** Tensors that `rename` drops for this task although they are weights of the checkpoint's. */
  isWeight(source: string): boolean;
  /** Weights whose tensor is of another task's head, or of other labels. */
  isStale(name: string, found: TensorHeader): boolean;
}

const isBody = ({ base }: Architecture, name: string): boolean =>
  base === undefined || name.startsWith(`${base}.`);

const leewayOf = (
  target: Target,
  own: Target | undefined,
  { changed, relabelled }: { readonly changed: boolean; readonly relabelled: boolean },
): Leeway => {
  const heads = headsOf(target.arch, target.json);
  const inBody = (name: string): boolean => heads.every((specs) => specs.has(name));
  const everyName = new Map(heads.flatMap((specs) => [...specs]));
  const any = { ...target, wanted: everyName };
  return {
    isNew: (name) => changed && !(own === undefined ? inBody(name) : own.wanted.has(name)),
    isHead: (source) => {
      const name = nameIn(own === undefined ? any : { ...own, wanted: everyName }, source);
      if (name === undefined) return changed && own === undefined && !isBody(target.arch, source);
      return name !== null && !inBody(name);
    },
    isWeight: (source) => changed && (own === undefined || typeof nameIn(own, source) === "string"),
    isStale: (name, { shape }) => {
      if (changed && !inBody(name) && !isBody(target.arch, name)) return true;
      const old = own?.wanted.get(name);
      const fitted = old !== undefined && sameShape(old.shape, shape);
      return relabelled && fitted && !sameShape(shape, target.wanted.get(name)!.shape);
    },
  };
};

const problemOf = (name: string, spec: ParamSpec, source: string, found: TensorHeader) => {
  const shown = source === name ? name : `${name} (there ${source})`;
  if (!floats.has(found.dtype)) return `${shown} is ${found.dtype} (expected float32, float16 or bfloat16)`;
  if (sameShape(found.shape, spec.shape)) return undefined;
  return `${shown} is ${shapeText(found.shape)} (expected ${shapeText(spec.shape)})`;
};

const refuse = (problems: readonly string[], file: string): void => {
  if (problems.length === 0) return;
  const more = problems.length > LISTED ? `; and ${problems.length - LISTED} more` : "";
  throw new FormatError(`does not fit its config: ${problems.slice(0, LISTED).join("; ")}${more}`, { file });
};

type Headers = ReadonlyMap<string, TensorHeader>;

/** Weights by tensors, with what is left over on both sides. Throws FormatError listing what does not fit. */
const assign = (target: Target, headers: Headers, leeway: Leeway, file: string) => {
  const { sources, unused, unknown } = match(target, headers.keys(), file);
  const dropped = unused.filter(leeway.isWeight);
  const initialized: string[] = [];
  const problems: string[] = [];
  for (const [name, spec] of target.wanted) {
    const source = sources.get(name);
    if (source === undefined) {
      if (leeway.isNew(name)) initialized.push(name);
      else problems.push(`${name} is missing (expected ${shapeText(spec.shape)})`);
      continue;
    }
    const header = headers.get(source)!;
    if (leeway.isStale(name, header)) {
      dropped.push(source);
      initialized.push(name);
      sources.delete(name);
      continue;
    }
    const problem = problemOf(name, spec, source, header);
    if (problem !== undefined) problems.push(problem);
  }
  for (const source of unknown) {
    if (leeway.isHead(source)) dropped.push(source);
    else problems.push(`${source} is not part of the model (found ${shapeText(headers.get(source)!.shape)})`);
  }
  refuse(problems, file);
  return { sources, dropped, initialized };
};

const LAYERS = /^(?:(?:n|num)(?:_hidden|_encoder|_decoder)?_layers?|(?:en|de)coder_layers)$/;

/** A tree of specs is made for as many layers as the config says, which must be no more than there can be. */
const checkLayers = (json: ConfigJson, headers: Headers, configFile: string): void => {
  for (const [field, value] of Object.entries(json)) {
    if (!LAYERS.test(field) || typeof value !== "number" || value <= headers.size) continue;
    throw new FormatError(`is ${value}, but the checkpoint has ${headers.size} tensors in all`, {
      file: configFile,
      field,
    });
  }
};

/**
 * The plan of a model from a config.json and the tensors' headers. `file` names the weights in errors.
 * Throws ConfigError for the config, FormatError listing every tensor that is missing, of another shape or
 * dtype, or not part of the model.
 */
export const planOf = (
  config: unknown,
  headers: Headers,
  file: string,
  options: LoadOptions = {},
): LoadPlan => {
  const { configFile = CONFIG, seed = 0 } = options;
  const arch = architectureOf(config, configFile);
  const given = config as ConfigJson;
  refuseForeign(given, configFile);
  const json = retarget(arch, given, options, configFile);
  const parsed = inFile(configFile, () => arch.parse(json) as ModelConfig);
  checkLayers(json, headers, configFile);
  const specs = arch.params(parsed) as Tree<ParamSpec>;
  const target = { arch, json, config: parsed, wanted: flatten<ParamSpec>(specs) };
  const own = ownTarget(arch, given);
  const changed = own === undefined || taskOf(arch, own.config) !== taskOf(arch, parsed);
  const leeway = leewayOf(target, own, { changed, relabelled: options.labels !== undefined });
  const fitted = assign(target, headers, leeway, file);
  return { arch, config: parsed, specs, ...fitted, seed };
};
