/** The command: cases run in a process of their own, which is started again behind a case that ends it. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inputOf } from "./format.ts";
import { formats } from "./formats/index.ts";

const HEAP_MB = 1024;

const cases = fileURLToPath(new URL("cases.mjs", import.meta.url));

/** How a run of cases ended: at its end, or within a case. */
type End = { readonly at: number; readonly why: string } | undefined;

const caseIn = (dir: string): number => {
  const text = readFileSync(join(dir, "case"), "utf8").trim();
  return text === "" ? -1 : Number(text);
};

const runCases = (args: readonly string[], dir: string): Promise<End> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`--max-old-space-size=${HEAP_MB}`, cases, ...args], {
      stdio: ["ignore", "inherit", "pipe"],
    });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said = (said + chunk).slice(-4000);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const at = caseIn(dir);
      if (code === 0) resolve(undefined);
      else if (at < 0) reject(new Error(`the process of the cases does not start: ${said}`));
      else resolve({ at, why: `ends the process (${signal ?? code}): ${said}` });
    });
  });

/** Faults of one format: their number; each is told, with its input in a file. */
const fuzzFormat = async (name: string, count: number, seed: number): Promise<number> => {
  const dir = join(tmpdir(), "anneal-fuzz", `${name}-${seed}-${process.pid}`);
  mkdirSync(dir, { recursive: true });
  const start = Date.now();
  for (let from = 0; from < count; ) {
    writeFileSync(join(dir, "case"), "");
    const end = await runCases([name, String(seed), String(from), String(count), dir], dir);
    if (end === undefined) break;
    writeFileSync(join(dir, `${end.at}.input`), inputOf(name, await formats[name]!(), seed, end.at));
    writeFileSync(join(dir, `${end.at}.fault`), end.why);
    from = end.at + 1;
  }
  const found = readdirSync(dir).filter((file) => file.endsWith(".fault"));
  for (const file of found) {
    const input = join(dir, file.replace(".fault", ".input"));
    const what = readFileSync(join(dir, file), "utf8");
    console.log(`${name} --seed ${seed}, case ${parseInt(file, 10)}: ${what}\n  --file ${input}`);
  }
  console.log(
    `${name}: ${count} cases, ${found.length} faults, ${Math.round((Date.now() - start) / 1000)} s`,
  );
  if (found.length === 0) rmSync(dir, { recursive: true });
  return found.length;
};

/** Runs the command line `FORMAT [--cases N] [--seed S] [--file PATH]`; gives the exit code. */
export const fuzz = async (args: readonly string[]): Promise<number> => {
  const options = {
    cases: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...options, file: { type: "string" } },
    allowPositionals: true,
  });
  const [name = ""] = positionals;
  const names = name === "all" ? Object.keys(formats) : [name];
  if (!names.every((one) => Object.hasOwn(formats, one))) {
    console.error(`usage: npm run -s fuzz -- FORMAT [--cases N] [--seed S] [--file PATH]
FORMAT is "all" or one of: ${Object.keys(formats).join(", ")}`);
    return 2;
  }
  if (values.file !== undefined) {
    const { work } = await import("./work.ts");
    await work([name, "file", values.file]);
    return Number(process.exitCode ?? 0);
  }
  let faults = 0;
  for (const one of names) faults += await fuzzFormat(one, Number(values.cases), Number(values.seed));
  return faults === 0 ? 0 : 1;
};
