/** Runs cases one after the other; the case that runs stands in a file, for whoever has to end the process. */
import { openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Fault, type Format, faultOf, inputOf } from "./format.ts";
import { formats } from "./formats/index.ts";

/** Runs the cases `from` to `to` (exclusive). */
export const faultsIn = async (
  name: string,
  { seed, from, to, begin = () => {} }: CasesOptions,
): Promise<Fault[]> => {
  const format: Format = await formats[name]!();
  const faults: Fault[] = [];
  for (let number = from; number < to; number++) {
    const input = inputOf(name, format, seed, number);
    begin(number);
    const what = await faultOf(format, input);
    if (what !== undefined) faults.push({ case: number, what, input });
  }
  return faults;
};

export interface CasesOptions {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Told of each case before it runs. */
  readonly begin?: (number: number) => void;
}

/** The arguments: format, seed, first case, case behind the last, folder; or format, "file", path. */
export const work = async (args: readonly string[]): Promise<void> => {
  const [name, second, third, to, dir] = args as [string, string, string, string, string];
  if (second === "file") {
    const what = await faultOf(await formats[name]!(), new Uint8Array(readFileSync(third)));
    console.log(what ?? "no fault");
    process.exitCode = what === undefined ? 0 : 1;
    return;
  }
  const place = openSync(join(dir, "case"), "w");
  const begin = (number: number): void => void writeSync(place, String(number).padEnd(12), 0);
  const seed = Number(second);
  for (const { case: number, what, input } of await faultsIn(name, {
    seed,
    from: Number(third),
    to: Number(to),
    begin,
  })) {
    writeFileSync(join(dir, `${number}.input`), input);
    writeFileSync(join(dir, `${number}.fault`), what);
  }
};
