/** Runs cases one after the other; the case that runs stands in a file, for whoever has to end the process. */
import { openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type Fault, type Format, faultOf, inputOf, MAX_SECONDS } from "./format.ts";
import { formats } from "./formats/index.ts";

/** Runs the cases `from` to `to` (exclusive). */
export async function* faultsIn(
  name: string,
  { seed, from, to, begin = () => {} }: CasesOptions,
): AsyncGenerator<Fault> {
  const format: Format = await formats[name]!();
  for (let number = from; number < to; number++) {
    const input = inputOf(name, format, seed, number);
    begin(number);
    const what = await faultOf(format, input);
    if (what !== undefined) yield { case: number, what, input };
  }
}

export interface CasesOptions {
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** Told of each case before it runs. */
  readonly begin?: (number: number) => void;
}

/** What ends the process where the case that stands in a file takes this much of the processor, or of time. */
export interface Watch {
  readonly caseFile: string;
  readonly processorSeconds: number;
  /** For a case that waits for what never comes; the machine may be busy, so it is long. */
  readonly wallSeconds: number;
}

/** Starts the thread that watches the cases. */
export const watch = (workerData: Watch): void => {
  new Worker(new URL("watch.mjs", import.meta.url), { workerData, execArgv: [] }).unref();
};

/** The arguments: format, seed, first case, case behind the last, folder; or format, "file", path. */
export const work = async (args: readonly string[]): Promise<void> => {
  const [name, second, third, to, dir] = args as [string, string, string, string, string];
  if (second === "file") {
    const what = await faultOf(await formats[name]!(), new Uint8Array(readFileSync(third)));
    console.log(what ?? "no fault");
    process.exitCode = what === undefined ? 0 : 1;
    return;
  }
  const caseFile = join(dir, "case");
  const place = openSync(caseFile, "w");
  watch({ caseFile, processorSeconds: 5 * MAX_SECONDS, wallSeconds: 600 });
  const begin = (number: number): void => void writeSync(place, String(number).padEnd(12), 0);
  const options = { seed: Number(second), from: Number(third), to: Number(to), begin };
  for await (const { case: number, what, input } of faultsIn(name, options)) {
    writeFileSync(join(dir, `${number}.input`), input);
    writeFileSync(join(dir, `${number}.fault`), what);
  }
};
