/**
 * The generator of an ELECTRA (Clark et al. 2020, https://arxiv.org/abs/2003.10555, 3.2): a masked language
 * model of as many layers and a quarter of the width, on the discriminator's own embeddings, which learn
 * from both.
 */
import type { Param, ParamSpec, Weight } from "../../nn/param.ts";
import { initialize } from "../../nn/param.ts";
import type { Tree } from "../../util/tree.ts";
import type { Inputs, Outputs } from "../model.ts";
import { type ElectraConfig, type ElectraParams, electra } from "./electra.ts";

/** The paper's usual width of a generator, as a share of the discriminator's. */
const SHARE = 0.25;

/** What a generator has of its own: all but the embeddings. */
type Own<T> = Omit<ElectraParams<T>, "electra"> & {
  electra: Omit<ElectraParams<T>["electra"], "embeddings">;
};

/** Weights of a discriminator with its generator beside it. */
export type WithGenerator<T> = ElectraParams<T> & { generator?: Own<T> };

/** The generator's config: whole heads of the discriminator's width, tied to its embeddings. */
export const generatorConfig = (c: ElectraConfig): ElectraConfig => {
  const heads = Math.max(1, Math.round(SHARE * c.num_attention_heads));
  const share = heads / c.num_attention_heads;
  return {
    ...c,
    architectures: [electra.classes["masked-lm"]!],
    hidden_size: share * c.hidden_size,
    num_attention_heads: heads,
    intermediate_size: Math.max(1, Math.round(share * c.intermediate_size)),
    tie_word_embeddings: true,
  };
};

/** The first weights of a generator, all but the embeddings. */
export const freshGenerator = (c: ElectraConfig, seed: number): Tree<Weight> => {
  const { electra: body, ...head } = electra.params(generatorConfig(c)) as ElectraParams<ParamSpec>;
  const { embeddings: _, ...own } = body;
  return initialize({ generator: { electra: own, ...head } } as Tree<ParamSpec>, seed);
};

/** Whether a generator stands beside the model's own weights. */
export const generatorIn = (params: Tree<Param>): Own<Param> | undefined =>
  (params as WithGenerator<Param>).generator;

/** What the generator beside a discriminator says of tokens. */
export const generated = (params: Tree<Param>, inputs: Inputs, c: ElectraConfig): Outputs => {
  const { electra: shared, generator } = params as WithGenerator<Param>;
  const { electra: body, ...head } = generator!;
  const tree = { electra: { ...body, embeddings: shared.embeddings }, ...head };
  return electra.forward(tree as Tree<Param>, inputs, generatorConfig(c));
};
