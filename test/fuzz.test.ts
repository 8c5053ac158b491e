/** A few cases of every format that is fuzzed: `npm run fuzz -- FORMAT` runs as many as one has time for. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { formats } from "../fuzz/formats/index.ts";
import { faultsIn, type Watch } from "../fuzz/work.ts";

const CASES = 100;
/** Of formats whose case loads a whole model. */
const few: Readonly<Record<string, number>> = { gguf: 30 };

test.each(Object.keys(formats))("%s is read, or refused with a typed error", async (name) => {
  const faults: string[] = [];
  for await (const { case: number, what } of faultsIn(name, { seed: 1, from: 0, to: few[name] ?? CASES }))
    faults.push(`case ${number}: ${what}`);
  expect(faults).toEqual([]);
});

const dir = mkdtempSync(join(tmpdir(), "anneal-watch-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** How a process ends that runs `work` as a case under the watch. */
const endOf = (
  work: string,
  watch: Omit<Watch, "caseFile">,
): Promise<{ signal: string | null; said: string }> => {
  const caseFile = join(dir, "case");
  writeFileSync(caseFile, "7");
  const thread = fileURLToPath(new URL("../fuzz/watch.mjs", import.meta.url));
  const script = `import { Worker } from "node:worker_threads";
    const workerData = ${JSON.stringify({ caseFile, ...watch })};
    new Worker(${JSON.stringify(thread)}, { workerData, execArgv: [] }).unref();
    ${work}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve) => child.on("close", (_, signal) => resolve({ signal, said })));
};

test("a case that does not end is ended by the watch, whether it computes or waits", async () => {
  const busy = await endOf("for (;;);", { processorSeconds: 0.5, wallSeconds: 600 });
  expect(busy.signal).toBe("SIGKILL");
  expect(busy.said).toMatch(/hangs: \d+\.\d s of the processor/);
  const waiting = await endOf("setTimeout(() => {}, 1e8);", { processorSeconds: 600, wallSeconds: 1 });
  expect(waiting.signal).toBe("SIGKILL");
});

test("time that the machine gives to others is not counted", async () => {
  const waits = "await new Promise((done) => setTimeout(done, 3000));";
  expect(await endOf(waits, { processorSeconds: 2, wallSeconds: 600 })).toEqual({ signal: null, said: "" });
});
