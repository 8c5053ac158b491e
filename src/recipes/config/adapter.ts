/** The options of adapters. */

/** Low-rank adapters that are trained in place of the weights. */
export interface AdapterOptions {
  /** Inner width; 0: the weights themselves are trained. */
  readonly rank: number;
  /** Strength: adapters are scaled by alpha / rank; 0: as much as the rank. */
  readonly alpha: number;
  /** Scale by alpha / sqrt(rank) (rsLoRA). */
  readonly rankStabilized: boolean;
  /** Train each output's length besides (DoRA). */
  readonly dora: boolean;
  /** Dropout of what adapters read. */
  readonly dropout: number;
  /** Ends of matrices' names, * standing for anything; none: every matrix but embeddings and heads. */
  readonly targets: readonly string[];
  /** Modules that are trained whole beside, by the ends of their names. */
  readonly save: readonly string[];
  /** Tokens whose rows of the embedding are trained beside. */
  readonly tokens: readonly string[];
  /** Biases that are trained beside. */
  readonly bias: "none" | "all" | "lora_only";
  /** Bits of the weights that stand still while adapters train: 32, 8 or 4. */
  readonly baseBits: number;
}

/** What is used where nothing is said: no adapters. */
export const adapterDefaults: AdapterOptions = {
  rank: 0,
  alpha: 0,
  rankStabilized: false,
  dora: false,
  dropout: 0,
  targets: [],
  save: [],
  tokens: [],
  bias: "none",
  baseBits: 32,
};
