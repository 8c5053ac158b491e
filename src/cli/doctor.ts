/** anneal doctor */
import type { Command } from "commander";
import pc from "picocolors";
import { checkProducts } from "../node/runtime/kernelChecks.ts";
import { checkMachine } from "../node/runtime/machine.ts";
import { withFlags } from "./flags/options.ts";
import { inLine, printJson, table, wantsColor } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal doctor
  $ npx anneal doctor --json
Exit code 4 where models cannot run here.`;

/** Adds the verb `doctor`. */
export const register = (command: Command): void => {
  withFlags(command, "doctor").action(async ({ json }: { json?: boolean }) => {
    const machine = await checkMachine(process.cwd());
    const runs = machine.every(({ name, status }) => name !== "engine" || status === "ok");
    const checks = runs ? [...machine, ...(await checkProducts())] : machine;
    const ok = checks.every(({ status }) => status !== "fail");
    const color = pc.createColors(wantsColor(process.stdout));
    const paint = { ok: color.green, warn: color.yellow, fail: color.red };
    const text = table(checks, [
      {
        title: "",
        of: ({ status }) => status,
        align: "left",
        paint: (cell, { status }) => paint[status](cell),
      },
      { title: "check", of: ({ name }) => name, align: "left" },
      { title: "found", of: ({ found }) => found, align: "left" },
    ]);
    const hints = checks.flatMap(({ name, hint }) => (hint === undefined ? [] : [`${name}: ${hint}`]));
    if (json) printJson({ ok, checks });
    else process.stdout.write(`${[text, ...hints.map(inLine)].join("\n")}\n`);
    if (!ok) process.exitCode = 4;
  });
};
