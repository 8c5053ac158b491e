/**
 * Speed and memory of shapes, from a table: layers are alike, so that a figure of what is read or written in
 * turn grows evenly with their number, and a layer's share of it with the neurons that it has. Two shapes a
 * dtype are measured for that, twice, beside the start: one of few layers, one of half the neurons. They are
 * kept as shares of what the start had then, so that a machine that is slower today foretells as well.
 */
import type { Figures } from "../../metrics/metric.ts";
import type { Json } from "../../models/model.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import { entries } from "../../util/tree.ts";
import { SIZE } from "../figures.ts";
import type { Values } from "../space/space.ts";
import type { Form, FormDtype } from "./formats/format.ts";
import { formOf, type Known } from "./shape.ts";
import { dtypeIn } from "./space.ts";

/** Which share of the layers, and of the neurons, the measured shapes have. */
const [SHALLOW, NARROW] = [0.25, 0.5];

/** How often each is measured. */
const TIMES = 2;

/** A figure that grows with what is computed: of throughputs the time that one takes. */
const asTime = (name: string, x: number): number => (name.endsWith("PerSec") ? 1 / x : x);

/** A shape's figures as shares of the start's, by name. */
export type Shares = Readonly<Record<string, number>>;

/** What speeds are found by. */
export interface SpeedOptions {
  readonly probe: (form: Form) => Promise<{ readonly figures: Figures }>;
  /** Shares of the start's figures that a shape has, as they were found before or as `make` finds them. */
  readonly shares?: (shape: Json, make: () => Promise<Shares>) => Promise<Shares>;
}

/**
 * Shares of the start's figures, times where they are throughputs, by the least of some measurements: what
 * else the machine does only slows. No share of the start takes more than all of it.
 */
const sharesOf = (measured: readonly Figures[], start: Figures): Shares =>
  Object.fromEntries(
    Object.keys(measured[0] ?? {}).flatMap((name) => {
      const times = measured.map((figures) => asTime(name, figures[name]?.value ?? Number.NaN));
      const share = Math.min(...times) / asTime(name, start[name]?.value ?? Number.NaN);
      return name !== SIZE && Number.isFinite(share) ? [[name, Math.min(1, share)] as const] : [];
    }),
  );

/** What grows evenly from one end to the other: no shape takes less than nothing. */
const between = (low: number, high: number, at: number): number => Math.max(0, low + (high - low) * at);

/** Matrices of a form that keep 8 bits: which ones a model's numbers decide, and its speed depends on. */
const wideIn = (known: Known, dtype: FormDtype): string[] =>
  dtype !== "q4"
    ? []
    : Array.from(entries<Weight>(known.start.forms.q4!.weights)).flatMap(([path, w]) =>
        isPacked(w) && w.kind.name === "int8" ? [path] : [],
      );

/** What a configuration's shape shows on the places of `probe`, by the figures' names. */
export const speedsOf = (
  known: Known,
  { probe, shares = (_, make) => make() }: SpeedOptions,
): ((values: Values) => Promise<Readonly<Record<string, number>>>) => {
  const { layers: all } = known.start.dense.arch.cache(known.start.dense.config);
  const table = new Map<string, Promise<Shares>>();
  const at = (shape: { readonly layers: number; readonly neurons: number }, dtype: FormDtype) => {
    const about = { ...shape, dtype, wide: wideIn(known, dtype) };
    const key = JSON.stringify(about);
    const found =
      table.get(key) ??
      shares(about, async () => {
        const form = formOf(known, { ...shape, dtype });
        const measured: Figures[] = [];
        for (let i = 0; i < TIMES; i++) measured.push((await probe(form)).figures);
        return sharesOf(measured, (await known.speeds(dtype)) ?? {});
      });
    table.set(key, found);
    return found;
  };
  return async ({ layers = all, neurons = 1, ...form }) => {
    const dtype = dtypeIn(form);
    const start = await known.speeds(dtype);
    if (start === undefined) return {};
    const few = Math.max(1, Math.round(SHALLOW * all));
    // Of a model of one layer what is not its layers is not told apart.
    const shallow = layers === all || few === all ? {} : await at({ layers: few, neurons: 1 }, dtype);
    const narrow = neurons === 1 ? {} : await at({ layers: all, neurons: NARROW }, dtype);
    const depth = (Number(layers) - few) / (all - few || 1);
    const gone = (1 - Number(neurons)) / (1 - NARROW);
    return Object.fromEntries(
      Object.entries(start).flatMap(([name, { value }]) => {
        const whole = few === all ? 1 : between((shallow as Shares)[name] ?? 1, 1, depth);
        const saved = (1 - ((narrow as Shares)[name] ?? 1)) * gone * (Number(layers) / all);
        const share = Math.max(0, whole - saved);
        const found = asTime(name, asTime(name, value) * share);
        return name === SIZE || !name.includes("/") || !Number.isFinite(found)
          ? []
          : [[name, found] as const];
      }),
    );
  };
};
