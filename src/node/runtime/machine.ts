/** What a machine and an installation have to offer: the checks behind `anneal doctor`. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm, statfs, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import { join } from "node:path";
import { compile } from "../../engine/compile.ts";
import { trace } from "../../ir/program.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { matmul } from "../../ops/linalg.ts";
import { nodeEngine } from "./engine.ts";

/** What one check found. */
export interface Check {
  readonly name: string;
  /** "fail": anneal does not work; "warn": it works, with limits. */
  readonly status: "ok" | "warn" | "fail";
  readonly found: string;
  /** What to do where the status is not "ok". */
  readonly hint?: string;
}

/** Below this much free memory or disk even the smallest run is in danger, bytes. */
const LEAST_BYTES = 2 ** 29;

const gib = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Whether a version of Node is one that anneal is made for: 20.19, 22.12, 24 or newer. */
export const supportsNode = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major >= 24 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
};

const node = (): Check => {
  const found = process.versions.node;
  if (supportsNode(found)) return { name: "node", status: "ok", found };
  return { name: "node", status: "warn", found, hint: "install Node 20.19, 22.12, 24 or newer" };
};

const WANTED = ["avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm", "sve"];

/** The instruction sets in `cpuinfo` (/proc/cpuinfo) that decide how fast float32 and int8 products are. */
export const instructionSets = (cpuinfo: string): string[] => {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  return WANTED.filter((name) => flags.has(name));
};

const instructions = (): Check => {
  const name = "instructions";
  let cpuinfo: string;
  try {
    cpuinfo = readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return { name, status: "ok", found: "not known on this system" };
  }
  const sets = instructionSets(cpuinfo);
  if (sets.length > 0) return { name, status: "ok", found: sets.join(" ") };
  return {
    name,
    status: "warn",
    found: `none of ${WANTED.join(" ")}`,
    hint: "expect slow training and decoding",
  };
};

const engine = async (): Promise<Check> => {
  const name = "engine";
  try {
    const runtime = await nodeEngine();
    const type = { dtype: "float32", shape: [2, 2] } as const;
    const session = await compile(
      runtime,
      trace({ x: type }, ({ x }) => ({ y: matmul(x, x) })),
    );
    const { y } = await session.run({ x: tensorOf("float32", [2, 2], [1, 2, 3, 4]) });
    await session.dispose();
    const found = `${runtime.name} ${runtime.version}`;
    if (Array.from(y!.data as Float32Array).join() === "7,10,15,22") return { name, status: "ok", found };
    return {
      name,
      status: "fail",
      found: `${found} computes wrong numbers`,
      hint: "npm install onnxruntime-node",
    };
  } catch (error) {
    const hint =
      "npm install onnxruntime-node; it has binaries for Linux, macOS and Windows on x64 and arm64";
    return { name, status: "fail", found: messageOf(error), hint };
  }
};

const memory = (): Check => {
  const limit = process.constrainedMemory();
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  const free = Math.min(freemem(), total);
  const found = `${gib(free)} free of ${gib(total)}${total < totalmem() ? " (limit of the container)" : ""}`;
  if (free > LEAST_BYTES) return { name: "memory", status: "ok", found };
  return {
    name: "memory",
    status: "warn",
    found,
    hint: "end other programs, or make models smaller with --width",
  };
};

const disk = async (dir: string): Promise<Check> => {
  const name = "disk";
  try {
    const { bavail, bsize } = await statfs(dir);
    const found = `${gib(bavail * bsize)} free`;
    if (bavail * bsize > LEAST_BYTES) return { name, status: "ok", found };
    return { name, status: "warn", found, hint: "make room, or choose another place with --out" };
  } catch (error) {
    return { name, status: "warn", found: messageOf(error) };
  }
};

const writable = async (dir: string): Promise<Check> => {
  const name = "writable";
  try {
    const made = await mkdtemp(join(dir, ".anneal-doctor-"));
    try {
      await writeFile(join(made, "file"), "written");
    } finally {
      await rm(made, { recursive: true });
    }
    return { name, status: "ok", found: dir };
  } catch (error) {
    return {
      name,
      status: "warn",
      found: messageOf(error),
      hint: "choose a folder that you may write with --out",
    };
  }
};

/** Checks this machine, this installation, and the folder `dir`. */
export const checkMachine = async (dir: string): Promise<Check[]> => [
  node(),
  await engine(),
  {
    name: "processor",
    status: "ok",
    found: `${cpus()[0]?.model.trim() ?? "unknown"}, ${availableParallelism()} cores`,
  },
  instructions(),
  memory(),
  await disk(dir),
  await writable(dir),
  { name: "webgpu", status: "ok", found: "not checked: models run on the processor" },
];
