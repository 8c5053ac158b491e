/** What runs when npm installs the package: onnxruntime-node's own script must find nothing to fetch. */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";

const require = createRequire(import.meta.url);
const script = fileURLToPath(new URL("../bin/preinstall.js", import.meta.url));
const here = `${process.platform}/${process.arch}`;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "anneal-install-"));
  mkdirSync(join(root, "bin"));
  copyFileSync(script, join(root, "bin", "preinstall.js"));
  writeFileSync(join(root, "package.json"), '{"type": "module"}');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** An onnxruntime-node whose script would fetch these files on this machine. */
const runtime = (...names: string[]): string => {
  const place = join(root, "node_modules", "onnxruntime-node");
  mkdirSync(join(place, "script"), { recursive: true });
  mkdirSync(join(place, "bin", "napi-v6", here), { recursive: true });
  writeFileSync(join(place, "package.json"), '{"name": "onnxruntime-node"}');
  const metadata = {
    requirements: { [here]: ["some"] },
    manifests: { [`${here}:some`]: Object.fromEntries(names.map((name) => [`./${name}`, {}])) },
  };
  writeFileSync(
    join(place, "script", "install-metadata.js"),
    `module.exports = ${JSON.stringify(metadata)};`,
  );
  return join(place, "bin", "napi-v6", here);
};

const run = (env: Record<string, string> = {}): string =>
  execFileSync(process.execPath, [join(root, "bin", "preinstall.js")], {
    env: { PATH: process.env.PATH ?? "", ...env },
    encoding: "utf8",
  });

test("notes stand where libraries would be fetched to, and what is there stays", () => {
  const place = runtime("a.so", "b.so");
  writeFileSync(join(place, "b.so"), "a library");
  expect(run()).toBe("");
  expect(readFileSync(join(place, "a.so"), "utf8")).toMatch(/npm rebuild onnxruntime-node/);
  expect(readFileSync(join(place, "b.so"), "utf8")).toBe("a library");
});

test("who has said what is to be installed is not interfered with; without the runtime nothing happens", () => {
  expect(run()).toBe("");
  const place = runtime("a.so");
  for (const name of ["ONNXRUNTIME_NODE_INSTALL", "npm_config_onnxruntime_node_install"]) {
    run({ [name]: "cuda12" });
    expect(existsSync(join(place, "a.so"))).toBe(false);
  }
});

test("the runtime in use has its table where it is looked for", () => {
  const at = join(dirname(require.resolve("onnxruntime-node/package.json")), "script", "install-metadata.js");
  const { requirements, manifests } = require(at);
  expect(requirements["linux/x64"].length).toBeGreaterThan(0);
  for (const name of requirements["linux/x64"]) {
    expect(Object.keys(manifests[`linux/x64:${name}`]).length).toBeGreaterThan(0);
  }
  const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  expect(scripts.preinstall).toBe("node bin/preinstall.js");
});
