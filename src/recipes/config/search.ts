/** The options of a search. */
import type { SamplerName } from "../../search/samplers/index.ts";

/** How smaller models are searched: without any of it, few are tried. */
export interface SearchOptions {
  /** Smaller models that are made at most; 0: as many as there are, or as the time allows. */
  readonly trials: number;
  /** Seconds after which the best so far is delivered; 0: no limit. */
  readonly timeSec: number;
  /** Which is tried next: a sampler's name; "": by their number. */
  readonly sampler: "" | SamplerName;
  /** Parameters with their values, as "layers=2,4", "neurons=0.5..1", "lr=1e-4..1e-2". */
  readonly params: readonly string[];
}

/** Few candidates. */
export const searchDefaults: SearchOptions = { trials: 0, timeSec: 0, sampler: "", params: [] };
