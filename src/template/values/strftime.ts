/** A time by a format (https://docs.python.org/3/library/datetime.html#format-codes), in English. */

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  ...["January", "February", "March", "April", "May", "June"],
  ...["July", "August", "September", "October", "November", "December"],
];
const DAY_MS = 86_400_000;

const two = (n: number, fill = "0"): string => String(n).padStart(2, fill);
const dayOfYear = (t: Date): number =>
  Math.floor((t.getTime() - Date.UTC(t.getUTCFullYear(), 0, 1)) / DAY_MS) + 1;

/** Weeks of the year that begin on Sunday (0) or Monday (1); days before the first are in week 0. */
const week = (t: Date, first: 0 | 1): number =>
  Math.floor((dayOfYear(t) + 6 - ((t.getUTCDay() + 7 - first) % 7)) / 7);

/** The ISO year and week. */
const isoWeek = (t: Date): readonly [year: number, week: number] => {
  const thursday = new Date(t.getTime() + (4 - (t.getUTCDay() || 7)) * DAY_MS);
  return [thursday.getUTCFullYear(), Math.ceil(dayOfYear(thursday) / 7)];
};

const hour12 = (t: Date): number => t.getUTCHours() % 12 || 12;

const codes: Readonly<Record<string, string | ((t: Date) => string | number)>> = {
  a: (t) => DAYS[t.getUTCDay()]!.slice(0, 3),
  A: (t) => DAYS[t.getUTCDay()]!,
  b: (t) => MONTHS[t.getUTCMonth()]!.slice(0, 3),
  B: (t) => MONTHS[t.getUTCMonth()]!,
  C: (t) => two(Math.floor(t.getUTCFullYear() / 100)),
  d: (t) => two(t.getUTCDate()),
  e: (t) => two(t.getUTCDate(), " "),
  f: (t) => `${String(t.getUTCMilliseconds()).padStart(3, "0")}000`,
  g: (t) => two(isoWeek(t)[0] % 100),
  G: (t) => isoWeek(t)[0],
  H: (t) => two(t.getUTCHours()),
  I: (t) => two(hour12(t)),
  j: (t) => String(dayOfYear(t)).padStart(3, "0"),
  k: (t) => two(t.getUTCHours(), " "),
  l: (t) => two(hour12(t), " "),
  m: (t) => two(t.getUTCMonth() + 1),
  M: (t) => two(t.getUTCMinutes()),
  n: "\n",
  p: (t) => (t.getUTCHours() < 12 ? "AM" : "PM"),
  P: (t) => (t.getUTCHours() < 12 ? "am" : "pm"),
  s: (t) => Math.floor(t.getTime() / 1000),
  S: (t) => two(t.getUTCSeconds()),
  t: "\t",
  u: (t) => t.getUTCDay() || 7,
  U: (t) => two(week(t, 0)),
  V: (t) => two(isoWeek(t)[1]),
  w: (t) => t.getUTCDay(),
  W: (t) => two(week(t, 1)),
  y: (t) => two(t.getUTCFullYear() % 100),
  Y: (t) => t.getUTCFullYear(),
  z: () => "",
  Z: () => "",
  "%": () => "%",
};

const whole: Readonly<Record<string, string>> = {
  c: "%a %b %e %H:%M:%S %Y",
  D: "%m/%d/%y",
  F: "%Y-%m-%d",
  h: "%b",
  r: "%I:%M:%S %p",
  R: "%H:%M",
  T: "%H:%M:%S",
  x: "%m/%d/%y",
  X: "%H:%M:%S",
};

/** `now` has the local time in its UTC fields; unknown codes stay as they are. */
export const strftime = (now: Date, format: string): string =>
  format.replace(/%([-_^#0]?)([A-Za-z%])/g, (all, flag: string, code: string) => {
    if (Object.hasOwn(whole, code)) return strftime(now, whole[code]!);
    const made = Object.hasOwn(codes, code) ? codes[code]! : all;
    const text = String(typeof made === "function" ? made(now) : made);
    if (flag === "-") return text.replace(/^[0 ]+(?=\d)/, "");
    if (flag === "_") return text.replace(/^0+(?=\d)/, (zeros) => " ".repeat(zeros.length));
    return flag === "^" ? text.toUpperCase() : text;
  });
