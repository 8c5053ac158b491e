/** The samplers by name. */
import { bayes } from "./bayes.ts";
import { nsga2 } from "./nsga2.ts";
import { quasiRandom } from "./quasiRandom.ts";
import { grid, type MakeSampler, random } from "./sampler.ts";
import { tpe } from "./tpe.ts";

/** How configurations are chosen. */
export const samplers = { grid, random, halton: quasiRandom, tpe, nsga2, bayes } as const satisfies Record<
  string,
  MakeSampler
>;
/** The name of a sampler. */
export type SamplerName = keyof typeof samplers;
