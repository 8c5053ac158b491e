/** How figures are written in the report and the model card. */

/** What stands where there is no finite number. */
export const NONE = "\u2013";

const finite = (value: number | undefined, write: (value: number) => string): string =>
  value !== undefined && Number.isFinite(value) ? write(value) : NONE;

const grouped = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** A count with its thousands set apart by narrow spaces. */
export const count = (value: number | undefined): string =>
  finite(value, (v) => (v < 0 ? "\u2212" : "") + grouped(Math.abs(Math.round(v)).toFixed(0)));

/** Three significant digits, never in exponential notation within 0.001 to 10^6. */
export const short = (value: number | undefined): string =>
  finite(value, (v) => {
    const size = Math.abs(v);
    if (size >= 1000 && size < 1e6) return count(v);
    if (v === 0) return "0";
    if (size < 1e-3 || size >= 1e6) return v.toExponential(1).replace("e+", "e").replace("-", "\u2212");
    return v.toPrecision(3).replace("-", "\u2212");
  });

/** Up to six significant digits, without zeros at the end: thresholds as they were set. */
export const plain = (value: number | undefined): string =>
  finite(value, (v) => String(Number(v.toPrecision(6))).replace("-", "\u2212"));

/** `digits` places after the point; what is 0 there has no sign. */
export const fixed = (value: number | undefined, digits: number): string =>
  finite(value, (v) => {
    const text = v.toFixed(digits);
    return text.replace("-", Number(text) === 0 ? "" : "\u2212");
  });

/** A difference with its sign. */
export const signed = (value: number | undefined, digits: number): string =>
  finite(value, (v) => {
    const text = fixed(v, digits);
    return v > 0 && Number(text) !== 0 ? `+${text}` : text;
  });

/** Bytes as megabytes of 10^6, without the unit. */
export const megabytes = (bytes: number | undefined): string => finite(bytes, (b) => short(b / 1e6));

/** Bytes in the unit that suits them. */
export const bytes = (value: number | undefined): string =>
  finite(value, (v) => {
    if (v < 1e3) return `${count(v)} B`;
    if (v < 1e6) return `${short(v / 1e3)} kB`;
    return v < 1e9 ? `${short(v / 1e6)} MB` : `${short(v / 1e9)} GB`;
  });

/** A share as a percentage; only a whole is written as 100 %, and only nothing as 0 %. */
export const percent = (share: number | undefined): string =>
  finite(share, (s) => {
    if (s > 0.9995 && s < 1) return "> 99.9 %";
    if (s < 0.0005 && s > 0) return "< 0.1 %";
    return `${Number((100 * s).toFixed(1))} %`;
  });
