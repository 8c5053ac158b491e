/** The README's library example runs as it stands there; what README and docs say of the command line exists. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { annealHere } from "./e2e/command.ts";

const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const block = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? "";

test("the library example prints what it says", () => {
  expect(block.split("\n").length).toBeGreaterThan(10);
  const { outputText } = ts.transpileModule(block, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  });
  // Inside the package, so that its own name resolves through its exports.
  const dir = mkdtempSync(join(root, "dist/.readme-"));
  const file = join(dir, "example.mjs");
  writeFileSync(file, outputText);
  try {
    const printed = execFileSync(process.execPath, [file], { cwd: root, encoding: "utf8" });
    expect(printed.trim()).toBe("30 Float32Array(2) [ -24, -18 ]");
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test("every command and option that the prose names exists", async () => {
  const helps = new Map<string, string>();
  const help = async (verb: string): Promise<string> => {
    const text = helps.get(verb) ?? (await annealHere([verb, "--help", "all"])).stdout;
    helps.set(verb, text);
    return text;
  };
  const docs = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md") && name !== "LOG.md");
  const prose = [readme, ...docs.map((name) => readFileSync(join(root, "docs", name), "utf8"))].join("\n");
  for (const [, verb, rest] of prose.matchAll(/npx anneal (\w+)([^\n#`]*)/g)) {
    for (const [option] of rest!.matchAll(/--[a-z-]+/g)) {
      expect(await help(verb!), `${verb} ${option}`).toMatch(new RegExp(`${option}\\b(?!-)`));
    }
  }
});
