/** Which products of few bits are sound here: found once for a machine and a runtime version, and kept. */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { cpus, homedir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import { checkKernels, type Kernel, type KernelFound, kernelName } from "../../evaluate/kernels.ts";
import { writeFileDurable } from "../files/files.ts";
import { instructionSets } from "./machine.ts";

type Known = Readonly<Record<string, KernelFound>>;

/** What decides which kernels the runtime takes. */
const keyOf = async ({ name, version }: Engine): Promise<string> => {
  const info = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const parts = [name, version, process.arch, cpus()[0]?.model ?? "", ...instructionSets(info)];
  return createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 16);
};

const knownIn = async (file: string): Promise<Known> => {
  try {
    const json: unknown = JSON.parse(await readFile(file, "utf8"));
    return typeof json === "object" && json !== null ? (json as Known) : {};
  } catch {
    return {};
  }
};

/**
 * What is known of some forms, and what is found of those that were not tried before; in the order of
 * `forms`. It is kept in `dir` (~/.cache/anneal unless told), where that can be written.
 */
export const knownKernels = async (
  engine: Engine,
  forms: readonly Kernel[],
  dir: string = join(homedir(), ".cache", "anneal"),
): Promise<KernelFound[]> => {
  const file = join(dir, `kernels-${await keyOf(engine)}.json`);
  const known = await knownIn(file);
  const fresh = forms.filter((form) => known[kernelName(form)]?.status === undefined);
  const found = fresh.length === 0 ? [] : await checkKernels(engine, fresh);
  const all = { ...known, ...Object.fromEntries(found.map((each) => [kernelName(each), each])) };
  if (found.length > 0) {
    // Where nothing can be kept it is found anew.
    await writeFileDurable(file, [new TextEncoder().encode(JSON.stringify(all))]).catch(() => {});
  }
  return forms.map((form) => all[kernelName(form)]!);
};
