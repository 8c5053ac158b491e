/** anneal doctor */
import { accessSync, constants, readFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import type { Command } from "commander";
import { compile } from "../engine/compile.ts";
import { trace } from "../ir/program.ts";
import { tensorOf } from "../ir/tensor.ts";
import { nodeEngine } from "../node/engine.ts";
import { matmul } from "../ops/linalg.ts";
import { table } from "./terminal.ts";

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly found: string;
}

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** Instruction sets that decide how fast float32 and int8 products are. */
const features = (): string => {
  try {
    const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" "));
    const wanted = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"].filter((f) => flags.has(f));
    return wanted.length > 0 ? wanted.join(" ") : "none of avx2, avx512, vnni, amx";
  } catch {
    return "not known on this system";
  }
};

const runtime = async (): Promise<Check> => {
  try {
    const engine = await nodeEngine();
    const type = { dtype: "float32", shape: [2, 2] } as const;
    const session = await compile(engine, trace({ x: type }, ({ x }) => ({ y: matmul(x, x) })));
    const { y } = await session.run({ x: tensorOf("float32", [2, 2], [1, 2, 3, 4]) });
    await session.dispose();
    const ok = Array.from(y!.data as Float32Array).join() === "7,10,15,22";
    return { name: "engine", ok, found: `${engine.name} ${engine.version}${ok ? "" : ": wrong numbers"}` };
  } catch (error) {
    return { name: "engine", ok: false, found: (error as Error).message };
  }
};

const writable = (): boolean => {
  try {
    accessSync(".", constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

const checks = async (): Promise<Check[]> => {
  const major = Number(process.versions.node.split(".")[0]);
  const disk = await statfs(".");
  const free = disk.bavail * disk.bsize;
  return [
    { name: "node", ok: major >= 20, found: `${process.versions.node} (20.19, 22.12, 24 or newer)` },
    await runtime(),
    { name: "processor", ok: true, found: `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores` },
    { name: "instructions", ok: true, found: features() },
    { name: "memory", ok: totalmem() > 2 ** 30, found: `${gib(freemem())} free of ${gib(totalmem())}` },
    { name: "disk here", ok: free > 2 ** 28, found: `${gib(free)} free` },
    { name: "writable here", ok: writable(), found: process.cwd() },
    { name: "WebGPU", ok: true, found: "not checked: models run on the processor" },
  ];
};

export const register = (command: Command): void => {
  command
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExamples:\n  $ npx anneal doctor\n  $ npx anneal doctor --json")
    .action(async ({ json }: { json?: boolean }) => {
      const list = await checks();
      const text = table(list, [
        { title: "", of: (c) => (c.ok ? "ok" : "FAILED"), align: "left" },
        { title: "check", of: (c) => c.name, align: "left" },
        { title: "found", of: (c) => c.found, align: "left" },
      ]);
      process.stdout.write(`${json ? JSON.stringify({ checks: list }) : text}\n`);
      if (list.some((c) => !c.ok)) process.exitCode = 4;
    });
};
