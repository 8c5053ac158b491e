/**
 * What stands within a model in a program of it: what each layer's attention reads, and what its queries,
 * keys and values are. The DAG tells: they are beside the products with the weights whose roles are known.
 */
import type { Node, Value } from "../../ir/op.ts";
import { toposort } from "../../ir/program.ts";
import type { LinearInfo, LinearRole } from "../../models/linears.ts";
import type { Model, Outputs } from "../../models/model.ts";
import { isPacked, type Param } from "../../nn/param.ts";
import { reshape, split } from "../../ops/structure.ts";
import { ConfigError } from "../../util/errors.ts";
import { flatten, type Tree } from "../../util/tree.ts";

// B batch, T time, C channels

/** A model's forward pass in a program. */
export interface Traced {
  readonly model: Pick<Model, "arch" | "config">;
  readonly params: Tree<Param>;
  readonly outputs: Outputs;
}

/** A layer's queries, keys and values, [B, T, W] each, before heads are split and positions come in. */
export interface Projected {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
}

/** What products of a program read and give, by the weights' paths. */
interface Products {
  /** What the product with a weight reads. */
  read(info: LinearInfo): Value;
  /** The product, and the bias where there is one. */
  given(info: LinearInfo): Value;
}

const productsIn = ({ model: { arch }, params, outputs }: Traced): Products => {
  const nodes = toposort([outputs.hidden, outputs.logits]);
  const known = flatten<Param>(params);
  const valueAt = (path: string): Value => {
    const p = known.get(path);
    if (p !== undefined && !isPacked(p)) return p;
    throw new ConfigError("is no dense weight: what stands within the model is not found by it", {
      tensor: path,
      hint: "learn from logits or vectors alone",
    });
  };
  const productOf = ({ path }: LinearInfo): Node => {
    const weight = valueAt(path);
    const found = nodes.find(({ op, inputs }) => op.isProduct === true && inputs.slice(1).includes(weight));
    if (found !== undefined) return found;
    throw new ConfigError(`is multiplied by nothing in ${arch.name}'s program`, { tensor: path });
  };
  const [b, t] = outputs.hidden.shape as readonly [number, number];
  // Some products see all tokens of all texts as rows.
  const inTexts = (x: Value): Value => (x.shape.length === 3 ? x : reshape(x, [b, t, x.shape.at(-1)!]));
  return {
    read: (info) => inTexts(productOf(info).inputs[0]!),
    given: (info) => {
      const [y] = productOf(info).outputs as [Value];
      const bias = info.bias === undefined ? undefined : known.get(info.bias);
      const plus = nodes.find(
        ({ op, inputs }) => op.name === "add" && inputs.includes(y) && inputs.includes(bias as Value),
      );
      return inTexts(plus?.outputs[0] ?? y);
    },
  };
};

/** The matrix of a role in each layer, in the order of the layers. Throws ConfigError for pairs of stacks. */
const byLayer = (
  { arch, config }: Traced["model"],
  roles: readonly LinearRole[],
  field: string,
): LinearInfo[] => {
  if (arch.kind === "seq2seq") {
    throw new ConfigError(`${arch.name} has two stacks of layers, which are not matched one by one`, {
      field,
      hint: "learn from logits alone",
    });
  }
  return arch
    .linears(config)
    .filter(({ role, layer }) => layer !== undefined && roles.includes(role))
    .sort((a, b) => a.layer! - b.layer!);
};

/**
 * What each layer gives, [B, T, C] each: what the next one's attention reads (behind its norm, where that
 * stands in front), and the model's last hidden states.
 */
export const layerStates = (traced: Traced): readonly Value[] => {
  const { read } = productsIn(traced);
  const [, ...later] = byLayer(traced.model, ["q", "qkv"], "distill.hidden");
  return [...later.map(read), traced.outputs.hidden];
};

/** The queries, keys and values of the last layer. */
export const lastProjected = (traced: Traced): Projected => {
  const { given } = productsIn(traced);
  const of = (role: LinearRole): LinearInfo | undefined =>
    byLayer(traced.model, [role], "distill.relations").at(-1);
  const all = of("qkv");
  if (all !== undefined) {
    const [q, k, v] = split(given(all), -1, 3) as [Value, Value, Value];
    return { q, k, v };
  }
  return { q: given(of("q")!), k: given(of("k")!), v: given(of("v")!) };
};
