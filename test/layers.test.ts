/** The house rules that a machine can hold: who may import whom, and how big a file gets. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** A layer may import these, whatever they may import, and its own folder. */
const layers: Record<string, readonly string[]> = {
  util: [],
  ir: ["util"],
  ops: ["ir"],
  autodiff: ["ops"],
  rewrite: ["ops"],
  formats: ["ops"],
  nn: ["ops"],
  models: ["nn", "formats"],
  adapters: ["models"],
  optim: ["ops"],
  engine: ["rewrite", "formats"],
  tokenizer: ["util"],
  template: ["util"],
  metrics: ["util"],
  data: ["tokenizer"],
  tasks: ["models", "engine", "data", "metrics", "template"],
  train: ["tasks", "adapters", "optim", "autodiff"],
  evaluate: ["train", "serve"],
  compress: ["evaluate"],
  search: ["ship"],
  distribute: ["train"],
  serve: ["models", "engine", "tokenizer", "template"],
  render: ["util"],
  ship: ["compress", "render"],
  report: ["search"],
  node: ["evaluate", "distribute"],
  web: ["evaluate"],
  recipes: ["report", "distribute", "node"],
  cli: ["recipes", "web"],
};

/**
 * Layers that may touch the machine: `node:` modules, `process`, the DOM. Recipes read files and run on Node.
 */
const places = new Set(["node", "web", "cli", "recipes"]);

/** Packages of plain JavaScript that a layer may load when it needs them: they run wherever the layer does. */
const packages: Record<string, readonly string[]> = {
  data: ["eld/small"],
};

const MAX_LINES = 300;
const MAX_COLUMNS = 110;

const root = fileURLToPath(new URL("../src/", import.meta.url));

interface File {
  readonly path: string;
  readonly layer: string;
  readonly text: string;
  /** Module specifiers: `from "x"`, `import "x"`, `import("x")`. */
  readonly imports: readonly string[];
}

/**
 * Text without comments and templates, so that prose and generated code are not taken for code; strings stay.
 */
const code = (text: string): string =>
  text.replace(
    /("(?:[^"\\\n]|\\.)*")|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (all, string) => string ?? all.replace(/[^\n]/g, " "),
  );

const SPECIFIER = /(?:^(?:import|export)\s[^"';]*?\bfrom\s*|^import\s*|\bimport\(\s*)"([^"\n]+)"/gm;

const importsOf = (text: string): string[] => Array.from(code(text).matchAll(SPECIFIER), (m) => m[1]!);

const files: readonly File[] = readdirSync(root, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !/\.(test|fixture|d)\.ts$/.test(path))
  .sort()
  .map((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const parts = path.split(/[\\/]/);
    return { path, layer: parts.length > 1 ? parts[0]! : "index", text, imports: importsOf(text) };
  });

/** The layers that `layer` may import: the closure of its row, and itself. */
const allowed = (layer: string): Set<string> => {
  const seen = new Set([layer]);
  for (const l of seen) for (const next of layers[l] ?? []) seen.add(next);
  return seen;
};

const targetOf = (file: File, specifier: string): string =>
  relative(root, resolve(root, dirname(file.path), specifier)).replaceAll("\\", "/");

const offences = (rule: (file: File) => readonly string[]): string[] =>
  files.flatMap((file) => rule(file).map((what) => `${file.path}: ${what}`));

const lineRule =
  (pattern: RegExp) =>
  (file: File): string[] =>
    code(file.text)
      .replace(/"(?:[^"\\\n]|\\.)*"/g, '""')
      .split("\n")
      .filter((line) => pattern.test(line))
      .map((line) => line.trim());

test("the reader of imports sees every form", () => {
  const text = [
    'import { a } from "./a.ts";',
    'import type {\n  B,\n} from "./b.ts";',
    'export * from "./c.ts";',
    'export type { D } from "./d.ts";',
    'import "./e.ts";',
    'const f = await import("./f.ts");',
    'type G = typeof import("./g.ts");',
    '// import "./no.ts";',
    '/* from "./no.ts" */',
    'const s = "// not a comment"; import("./h.ts");',
    'fail("not read from ", { hint: "x" });',
    'const page = `\nimport { no } from "./no.ts";`;',
  ].join("\n");
  expect(importsOf(text)).toEqual(["a", "b", "c", "d", "e", "f", "g", "h"].map((name) => `./${name}.ts`));
});

describe("layers", () => {
  test("there are files, and every folder has a row in the table", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(files.filter((f) => f.layer !== "index" && !(f.layer in layers)).map((f) => f.path)).toEqual([]);
  });

  test("the table has no cycles", () => {
    for (const layer of Object.keys(layers)) {
      for (const other of allowed(layer)) if (other !== layer) expect(allowed(other).has(layer)).toBe(false);
    }
  });

  test("no file imports what its layer may not", () => {
    const wrong = offences((file) => {
      if (file.layer === "index") return [];
      const may = allowed(file.layer);
      return file.imports
        .filter((s) => s.startsWith("."))
        .map((s) => targetOf(file, s))
        .filter((target) => target.startsWith("..") || !may.has(target.split("/")[0]!));
    });
    expect(wrong).toEqual([]);
  });

  test("relative imports name an existing .ts file", () => {
    const known = new Set(files.map((f) => f.path.replaceAll("\\", "/")));
    const wrong = offences((file) =>
      file.imports.filter((s) => s.startsWith(".") && !known.has(targetOf(file, s))),
    );
    expect(wrong).toEqual([]);
  });

  test("files import one another without cycles", () => {
    const graph = new Map(
      files.map((f) => [f.path, f.imports.filter((s) => s.startsWith(".")).map((s) => targetOf(f, s))]),
    );
    const done = new Set<string>();
    const visit = (path: string, trail: readonly string[]): void => {
      expect(trail, `cycle at ${path}`).not.toContain(path);
      if (done.has(path)) return;
      for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
      done.add(path);
    };
    for (const path of graph.keys()) visit(path, []);
  });

  test("packages and node: modules are imported only by the places that have them", () => {
    const wrong = offences((file) =>
      places.has(file.layer)
        ? []
        : file.imports.filter((s) => !s.startsWith(".") && !packages[file.layer]?.includes(s)),
    );
    expect(wrong).toEqual([]);
  });

  test("node: modules stay out of web", () => {
    expect(
      offences((f) => (f.layer === "web" ? f.imports.filter((s) => s.startsWith("node:")) : [])),
    ).toEqual([]);
  });
});

describe("budgets", () => {
  test(`a file has at most ${MAX_LINES} lines`, () => {
    const long = offences(({ text }) => {
      const lines = text.split("\n").length - 1;
      return lines > MAX_LINES ? [`${lines} lines`] : [];
    });
    expect(long).toEqual([]);
  });

  test(`a line has at most ${MAX_COLUMNS} columns`, () => {
    // A link cannot be broken.
    const long = offences(({ text }) =>
      text
        .split("\n")
        .flatMap((line, i) => (line.length > MAX_COLUMNS && !/https?:/.test(line) ? [`line ${i + 1}`] : [])),
    );
    expect(long).toEqual([]);
  });
});

describe("language", () => {
  test("no enum", () => {
    expect(offences(lineRule(/^\s*(export\s+)?(declare\s+)?(const\s+)?enum\s/))).toEqual([]);
  });
  test("no module-level mutable state", () => {
    expect(offences(lineRule(/^(export\s+)?(let|var)\s/))).toEqual([]);
  });
  test("no environment variable is read below cli", () => {
    const rule = lineRule(/process\.env\b/);
    // One variable is set there, for the runtime that reads it.
    const apart = (file: File) =>
      file.layer === "cli" || file.path === join("node", "runtime", "telemetry.ts");
    expect(offences((file) => (apart(file) ? [] : rule(file)))).toEqual([]);
  });
  test("no process, DOM or clock outside their places", () => {
    const rule = lineRule(/\bprocess\.|\bglobalThis\.|\bdocument\.|\bwindow\.|\bnavigator\./);
    expect(offences((file) => (places.has(file.layer) ? [] : rule(file)))).toEqual([]);
  });
  test("no unseeded randomness", () => {
    expect(offences(lineRule(/Math\.random\(/))).toEqual([]);
  });
  test("no TODO is left", () => {
    expect(offences((f) => f.text.split("\n").filter((l) => /\b(TODO|FIXME|XXX)\b/.test(l)))).toEqual([]);
  });
});
