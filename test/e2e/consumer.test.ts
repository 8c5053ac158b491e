/** The packed package in strict projects of others: its types stand alone, in Node and in a page. */
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = resolve(import.meta.dirname, "../..");
let dir: string;

/** What `npm install` of the package would bring, without a network: its packages are those of this checkout. */
const linkDependencies = (modules: string): void => {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  const besides = ["onnxruntime-common", "onnxruntime-web", "@types/node", "undici-types"];
  for (const name of [...Object.keys(dependencies), ...besides]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
};

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "anneal-consumer-"));
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", dir], { cwd: root, stdio: "pipe" });
  const [archive] = readdirSync(dir).filter((name) => name.endsWith(".tgz"));
  execFileSync("tar", ["xzf", archive!], { cwd: dir });
  const modules = join(dir, "node_modules");
  mkdirSync(modules);
  linkDependencies(modules);
  execFileSync("mv", [join(dir, "package"), join(modules, "anneal")]);
  writeFileSync(join(dir, "package.json"), '{ "type": "module" }');
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const strict = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  target: "es2022",
};

/** What the compiler says of `source` in a project of its own. */
const check = (name: string, source: string, options: Record<string, unknown>): string => {
  const project = join(dir, name);
  mkdirSync(project);
  writeFileSync(join(project, "main.ts"), source);
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { ...strict, ...options }, files: ["main.ts"] }),
  );
  try {
    execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", project]);
    return "";
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout);
  }
};

const program = `
import { type Architecture, defineConfig, grad, matmul, type Optimizer, type Program, sum, trace } from "anneal";
import type { Engine } from "anneal/engine";
const type = { dtype: "float32", shape: [2, 2] } as const;
export const program: Program = trace({ x: type, w: [type, type] as const }, ({ x, w }) => {
  const loss = sum(matmul(matmul(x, w[0]), w[1]));
  return { loss, slopes: grad(loss, w) };
});
export const config = defineConfig({ train: { steps: 10, optimizer: "muon" } });
export const names = (arch: Architecture, optimizer: Optimizer, engine: Engine): string[] => [
  arch.name,
  optimizer.name,
  engine.name,
];
`;

/** All entries but that of pages. */
const everyEntry = (): string => {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
  const entries = Object.keys(exports).filter((entry) => !["./package.json", "./web"].includes(entry));
  const lines = entries.map((entry, i) => `import * as e${i} from "${entry.replace(/^\./, "anneal")}";`);
  return `${lines.join("\n")}\nconsole.log(${entries.map((_, i) => `e${i}`).join(", ")});\n`;
};

test("Node: every entry's types resolve, and are themselves without fault", () => {
  const options = { module: "nodenext", types: ["node"], lib: ["es2023"], skipLibCheck: false };
  expect(check("node", program + everyEntry(), options)).toBe("");
});

test("a page: entries that need no Node resolve without Node's types", () => {
  const page = `${program}
import { webEngine } from "anneal/web";
import { decoder } from "anneal/serve";
export { decoder, webEngine };
`;
  const options = { module: "esnext", moduleResolution: "bundler", types: [], lib: ["es2023", "dom"] };
  expect(check("page", page, { ...options, skipLibCheck: false })).toBe("");
});

test("what is no type of the package's is refused", () => {
  const wrong = `import { defineConfig } from "anneal";\ndefineConfig({ train: { steps: "10" } });\n`;
  const said = check("wrong", wrong, {
    module: "nodenext",
    types: ["node"],
    lib: ["es2023"],
    skipLibCheck: true,
  });
  expect(said).toMatch(/TS2322.*'string' is not assignable to type 'number'/s);
});

test("without node-llama-cpp the package runs, and its target says how to have it", () => {
  const script = `import { targets } from "anneal/node";
const asked = { threads: 1, timeoutMs: 1000, software: false };
const { name, message, details } = await targets["llama.cpp"].open(asked).catch((error) => error);
console.log(name, message, details.hint);`;
  writeFileSync(join(dir, "llama.mjs"), script);
  const said = execFileSync(process.execPath, [join(dir, "llama.mjs")], { cwd: dir, encoding: "utf8" });
  expect(said).toContain("MissingError node-llama-cpp is not installed npm install node-llama-cpp");
});
