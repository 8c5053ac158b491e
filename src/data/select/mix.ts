/**
 * Mixing of sources: what share each gets, how often it is repeated for that, and in what order documents
 * come. The order is a pure function of (seed, index), so a run goes on exactly from any index.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { permutation, rng } from "../../util/rng.ts";

/** A source and its size. */
export interface Source {
  readonly name: string;
  readonly documents: number;
  readonly tokens: number;
}

/** Shares in proportion to n^(1/T): 1 is as they come, greater is more even. They sum to 1. */
export const temperatureWeights = (sizes: readonly number[], temperature: number): number[] => {
  if (!(temperature > 0)) {
    throw new ConfigError(`must be above 0, not ${temperature}`, { field: "temperature" });
  }
  const largest = Math.max(...sizes);
  const powers = sizes.map((n) => (n / largest) ** (1 / temperature));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / total);
};

/** What share each source gets of how many tokens. */
export interface MixOptions {
  /** Share of each source by name, in any unit; sources left out get nothing. */
  readonly weights?: Readonly<Record<string, number>>;
  /** Instead of weights: shares by the sources' tokens ^ (1 / temperature) (1). */
  readonly temperature?: number;
  /** Tokens of the mix (those of all sources). */
  readonly tokens?: number;
  /**
   * Most times that a source is repeated (4: beyond that repetition is worth clearly less than new text,
   * Muennighoff et al. 2023, https://arxiv.org/abs/2305.16264). What a source cannot give, others do.
   */
  readonly maxEpochs?: number;
}

/** What a source gives to the mix. */
export interface MixRow {
  readonly name: string;
  /** Share that was asked for. */
  readonly asked: number;
  /** Share of the mix's tokens. */
  readonly share: number;
  /** Whole documents drawn, repeats counted. */
  readonly draws: number;
  /** Tokens of so many documents, on the mean. */
  readonly tokens: number;
  /** How often each document of it is seen, on the mean. */
  readonly epochs: number;
  readonly documents: number;
  /** Whether the limit on epochs holds it back. */
  readonly capped: boolean;
}

/** How many documents of each source are drawn, and what is missing. */
export interface MixPlan {
  readonly rows: readonly MixRow[];
  readonly draws: number;
  readonly tokens: number;
  /** Tokens of the budget that no source could give within the limit on epochs. */
  readonly missing: number;
}

const checkSources = (sources: readonly Source[]): void => {
  if (sources.length === 0) throw new DataError("there are no sources to mix");
  const names = new Set<string>();
  for (const { name, documents, tokens } of sources) {
    if (names.has(name)) throw new ConfigError(`source "${name}" is there twice`, { field: "sources" });
    names.add(name);
    if (!(documents >= 1 && tokens >= 1)) throw new DataError(`source "${name}" has no text`);
  }
};

const askedShares = (sources: readonly Source[], { weights, temperature = 1 }: MixOptions): number[] => {
  if (weights === undefined) {
    return temperatureWeights(
      sources.map(({ tokens }) => tokens),
      temperature,
    );
  }
  for (const [name, weight] of Object.entries(weights)) {
    const field = `weights.${name}`;
    if (!sources.some((s) => s.name === name)) {
      const hint = `sources are ${sources.map((s) => s.name).join(", ")}`;
      throw new ConfigError("there is no such source", { field, hint });
    }
    if (!(weight >= 0 && Number.isFinite(weight))) {
      throw new ConfigError(`must be 0 or more, not ${weight}`, { field });
    }
  }
  const given = sources.map(({ name }) => (Object.hasOwn(weights, name) ? weights[name]! : 0));
  const total = given.reduce((a, b) => a + b, 0);
  if (total === 0) throw new ConfigError("are all 0", { field: "weights" });
  return given.map((w) => w / total);
};

/**
 * Shares `budget` by weights under limits: what one cannot take goes to the others in proportion, and what
 * none can is missing.
 */
const shareOut = (budget: number, weights: readonly number[], limits: readonly number[]) => {
  const out = weights.map(() => 0);
  const open = new Set(weights.flatMap((w, i) => (w > 0 ? [i] : [])));
  let left = budget;
  while (open.size > 0 && left > 0) {
    const total = [...open].reduce((sum, i) => sum + weights[i]!, 0);
    const over = [...open].filter((i) => (left * weights[i]!) / total >= limits[i]!);
    if (over.length === 0) {
      for (const i of open) out[i] = (left * weights[i]!) / total;
      return { shares: out, missing: 0 };
    }
    for (const i of over) {
      out[i] = limits[i]!;
      left -= limits[i]!;
      open.delete(i);
    }
  }
  return { shares: out, missing: Math.max(0, left) };
};

/**
 * Plans a mix: documents and epochs of each source. Throws ConfigError for weights that cannot be met and
 * DataError for sources without text.
 */
export const planMix = (sources: readonly Source[], options: MixOptions = {}): MixPlan => {
  checkSources(sources);
  const { maxEpochs = 4, tokens: budget = sources.reduce((sum, s) => sum + s.tokens, 0) } = options;
  for (const [field, value] of Object.entries({ maxEpochs, tokens: budget })) {
    if (!(value > 0)) throw new ConfigError(`must be above 0, not ${value}`, { field });
  }
  const asked = askedShares(sources, options);
  const limits = sources.map(({ tokens }) => tokens * maxEpochs);
  const { shares: given, missing } = shareOut(budget, asked, limits);
  const draws = sources.map(({ tokens, documents }, i) => {
    const most = Math.floor(maxEpochs * documents + 1e-9);
    return Math.min(most, Math.round((given[i]! / tokens) * documents));
  });
  const exact = sources.map(({ tokens, documents }, i) => (draws[i]! * tokens) / documents);
  const total = exact.reduce((a, b) => a + b, 0);
  const rows = sources.map(({ name, documents }, i) => ({
    name,
    asked: asked[i]!,
    share: total === 0 ? 0 : exact[i]! / total,
    draws: draws[i]!,
    tokens: exact[i]!,
    epochs: draws[i]! / documents,
    documents,
    capped: asked[i]! > 0 && given[i]! >= limits[i]! && asked[i]! * budget > limits[i]!,
  }));
  return { rows, draws: draws.reduce((a, b) => a + b, 0), tokens: total, missing };
};

/** Where draw `index` of a schedule comes from. */
export interface Draw {
  /** Index of the source. */
  readonly source: number;
  /** How many draws of the same source come before it. */
  readonly turn: number;
}

/**
 * A low-discrepancy interleaving of sources by rates: draw j of source s is at time (j + offset of s) / rate
 * of s, with seeded offsets, and draws are in the order of time. After any number of draws each source has
 * had its share to within about one draw. With whole rates, the first (sum of rates) draws have exactly
 * `rate` of each. A pure function of (seed, index).
 */
export const interleave = (rates: readonly number[], seed: number): ((index: number) => Draw) => {
  const total = rates.reduce((a, b) => a + b, 0);
  if (!(total > 0) || rates.some((r) => !(r >= 0))) {
    throw new ConfigError("rates must be 0 or more, and not all 0", { field: "rates" });
  }
  const offsets = rates.map((_, s) => rng(seed, `mix/${s}`).uniform());
  const time = (s: number, j: number) => (j + offsets[s]!) / rates[s]!;
  const active = rates.flatMap((rate, s) => (rate > 0 ? [s] : []));
  /** Draws of source s before time `at`, by the same comparison that orders draws. */
  const before = (s: number, at: number): number => {
    let j = Math.max(0, Math.ceil(at * rates[s]! - offsets[s]!));
    while (j > 0 && time(s, j - 1) >= at) j--;
    while (time(s, j) < at) j++;
    return j;
  };
  return (index) => {
    // Fewer than `index` draws lie before this: a source is never a whole draw ahead of its rate.
    const start = Math.max(0, (index - active.length) / total);
    const next = new Map(active.map((s) => [s, before(s, start)]));
    let at = [...next.values()].reduce((a, b) => a + b, 0);
    for (;;) {
      let source = active[0]!;
      for (const s of active) if (time(s, next.get(s)!) < time(source, next.get(source)!)) source = s;
      if (at++ === index) return { source, turn: next.get(source)! };
      next.set(source, next.get(source)! + 1);
    }
  };
};

/** One place of the mix: which document, for the how-manieth time. */
export interface MixedDocument {
  /** Index of the source. */
  readonly source: number;
  /** Index of the document in it. */
  readonly document: number;
  /** Pass over the source, from 0. */
  readonly epoch: number;
}

/**
 * The documents of a mix by index, 0 to plan.draws - 1: sources interleaved, each in a seeded order of its
 * own that is another in each epoch. Throws ConfigError for an index outside.
 */
export const mixSchedule = (plan: MixPlan, seed = 1): ((index: number) => MixedDocument) => {
  const at = interleave(
    plan.rows.map(({ draws }) => draws),
    seed,
  );
  const orders = new Map<number, { readonly epoch: number; readonly order: Uint32Array }>();
  return (index) => {
    if (!Number.isInteger(index) || index < 0 || index >= plan.draws) {
      throw new ConfigError(`is ${index}, and the mix has ${plan.draws} documents`, { field: "index" });
    }
    const { source, turn } = at(index);
    const { documents, name } = plan.rows[source]!;
    const epoch = Math.floor(turn / documents);
    let known = orders.get(source);
    if (known?.epoch !== epoch) {
      known = { epoch, order: permutation(documents, seed, `mix/${name}/${epoch}`) };
      orders.set(source, known);
    }
    return { source, document: known.order[turn % documents]!, epoch };
  };
};
