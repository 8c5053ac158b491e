/**
 * Which tensor of a checkpoint becomes which weight, known from names and shapes alone: nothing large is read
 * or made for a checkpoint that does not fit. A head that the checkpoint lacks is made anew where another
 * task or other labels are asked for; what falls away with the old one is kept as a list.
 */
import { sameShape } from "../../ir/shape.ts";
import { type DType, shapeText } from "../../ir/tensor.ts";
import type { ParamSpec } from "../../nn/param.ts";
import { FormatError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { headOf } from "../head.ts";
import type { Architecture, ModelConfig } from "../model.ts";
import {
  classed,
  type Headers,
  headsOf,
  isBody,
  match,
  nameIn,
  ownTarget,
  type Target,
  type TensorHeader,
  targetOf,
} from "../target.ts";
import { joinTied, type Tied, type Untied } from "../ties.ts";
import {
  architectureOf,
  CONFIG,
  type ConfigJson,
  inFile,
  type LoadOptions,
  refuseForeign,
  retarget,
} from "./config.ts";

/** Most problems that one error lists. */
const LISTED = 8;

/** Dtypes that a weight may have in a file; all become float32. */
const floats = new Set<DType>(["float32", "float16", "bfloat16"]);

/** How a checkpoint becomes a model. */
export interface LoadPlan {
  readonly arch: Architecture;
  readonly config: ModelConfig;
  readonly specs: Tree<ParamSpec>;
  /** Name of a weight -> name of its tensor in the checkpoint. */
  readonly sources: ReadonlyMap<string, string>;
  readonly tied: Tied;
  /** Other names of tied weights -> their tensors in the checkpoint: equal, or weights of their own. */
  readonly twins: ReadonlyMap<string, string>;
  /** What the model is where a twin is a weight of its own; absent where that cannot be. */
  readonly untied: Untied | undefined;
  /** Weights that the checkpoint does not have, because its head is another. */
  readonly initialized: readonly string[];
  /** The checkpoint's tensors of a head that the model does not have. */
  readonly dropped: readonly string[];
  /** The class that the config names, where the checkpoint has nothing but the body of it. */
  readonly headless: string | undefined;
  readonly seed: number;
  /** The weights' file in errors. */
  readonly file: string;
}

/** The same model without ties; undefined where it cannot be without. */
const untiedOf = ({ arch, config }: Target): Target | undefined =>
  ownTarget(arch, { ...config, tie_word_embeddings: false });

/** Twins of another task's head, which are of no use. */
const isForeign = (alias: string, untied: Target | undefined): boolean =>
  untied !== undefined &&
  !untied.wanted.has(alias) &&
  headsOf(untied.arch, untied.json).some((specs) => specs.has(alias));

/** Which weights the checkpoint may lack, and which of its tensors may be left over. */
interface Leeway {
  isNew(name: string): boolean;
  isHead(source: string): boolean;
  /** Tensors that `rename` drops for this task although they are weights of the checkpoint's. */
  isWeight(source: string): boolean;
  /** Weights whose tensor is of another task's head, or of other labels. */
  isStale(name: string, found: TensorHeader): boolean;
}

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
      const isShared = target.arch.shared?.some((beginning) => name.startsWith(beginning)) ?? false;
      if (changed && !isShared && !inBody(name) && !isBody(target.arch, name)) return true;
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

/** What to do where all that a checkpoint lacks is its head. */
const headHint = ({ arch, json }: Target, lacking: readonly string[]): string | undefined => {
  const heads = headsOf(arch, json);
  const { features } = arch.classes;
  const inBody = (name: string): boolean => heads.every((specs) => specs.has(name));
  if (features === undefined || lacking.some(inBody)) return undefined;
  const rename = `name ${features} in "architectures" of config.json`;
  return `the weights lack the head: ${rename}, or take a checkpoint that has it`;
};

const refuse = (problems: readonly string[], file: string, hint: string | undefined): void => {
  if (problems.length === 0) return;
  const more = problems.length > LISTED ? `; and ${problems.length - LISTED} more` : "";
  throw new FormatError(`does not fit its config: ${problems.slice(0, LISTED).join("; ")}${more}`, {
    file,
    ...(hint === undefined ? {} : { hint }),
  });
};

/** Weights by tensors, with what is left over on both sides. Throws FormatError listing what does not fit. */
const assign = (target: Target, headers: Headers, leeway: Leeway, file: string) => {
  const { sources, unused, unknown } = match(target, headers.keys(), file);
  const joined = joinTied(sources, target.tied, target.wanted);
  const untied = joined.size === 0 ? undefined : untiedOf(target);
  const twins = new Map([...joined].filter(([alias]) => !isForeign(alias, untied)));
  const dropped = unused.filter(leeway.isWeight);
  const initialized: string[] = [];
  const problems: string[] = [];
  const lacking: string[] = [];
  for (const [alias, source] of twins) {
    const spec = target.wanted.get(target.tied.get(alias)!)!;
    const problem = problemOf(alias, spec, source, headers.get(source)!);
    if (problem !== undefined) problems.push(problem);
  }
  for (const [name, spec] of target.wanted) {
    const source = sources.get(name);
    if (source === undefined) {
      if (leeway.isNew(name) || target.arch.optional?.includes(name) === true) initialized.push(name);
      else {
        problems.push(`${name} is missing (expected ${shapeText(spec.shape)})`);
        lacking.push(name);
      }
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
  refuse(problems, file, lacking.length === problems.length ? headHint(target, lacking) : undefined);
  const separate = untied && {
    config: untied.config,
    specs: untied.arch.params(untied.config) as Tree<ParamSpec>,
    names: new Set(untied.wanted.keys()),
  };
  return { sources, twins, untied: separate, dropped, initialized };
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
  refuseForeign(config as ConfigJson, configFile);
  const read = (one: ConfigJson): [ConfigJson, ModelConfig] => {
    const retargeted = retarget(arch, one, options, configFile);
    return [retargeted, inFile(configFile, () => arch.parse(retargeted) as ModelConfig)];
  };
  checkLayers(read(config as ConfigJson)[0], headers, configFile);
  const given = classed(arch, config as ConfigJson, headers, { file, task: options.task });
  const [json, parsed] = read(given);
  const target = targetOf(arch, json, parsed);
  const own = ownTarget(arch, given);
  const fresh = options.freshHead === true;
  const changed = fresh || own === undefined || headOf(arch, own.config) !== headOf(arch, parsed);
  const leeway = leewayOf(target, own, { changed, relabelled: options.labels !== undefined });
  const fitted = assign(target, headers, leeway, file);
  const specs = arch.params(parsed) as Tree<ParamSpec>;
  const [named] = own === undefined ? [] : ((config as Partial<ModelConfig>).architectures ?? []);
  const headless = given === config || named === own?.config.architectures[0] ? undefined : named;
  return { arch, config: parsed, specs, tied: target.tied, ...fitted, headless, seed, file };
};
