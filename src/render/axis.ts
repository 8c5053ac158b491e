/** Axes of a chart: a range of round numbers, its ticks, and where a value lies. */

export interface Axis {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
  /** A tick as text. */
  readonly format: (value: number) => string;
}

/** The largest of 1, 2 and 5 times a power of ten that cuts `range` into at least `parts`. */
const roundStep = (range: number, parts: number): number => {
  const rough = range / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [5, 2, 1].find((f) => f * power <= rough * (1 + 1e-9)) ?? 1;
  return factor * power;
};

/** An axis that holds `values`: from `from` to the largest; without `from`, a little beyond both ends. */
export const axis = (label: string, values: readonly number[], from?: number): Axis => {
  const finite = values.filter(Number.isFinite);
  const low = from ?? (finite.length > 0 ? Math.min(...finite) : 0);
  const high = finite.length > 0 ? Math.max(...finite) : 1;
  const range = high > low ? high - low : Math.max(Math.abs(high), 1) * 0.1;
  const step = roundStep(range * 1.1, 4);
  const margin = from === undefined ? range * 0.04 : 0;
  const first = Math.floor((low - margin) / step + 1e-9);
  const last = Math.ceil((Math.max(high, low + step) + margin) / step - 1e-9);
  const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const format = (value: number): string => value.toFixed(places).replace("-", "\u2212");
  return { label, min: first * step, max: last * step, ticks, format };
};

/** Maps the axis' range to the pixels from `a` to `b`. */
export const scale =
  ({ min, max }: Axis, a: number, b: number) =>
  (value: number): number =>
    a + ((value - min) / (max - min)) * (b - a);
