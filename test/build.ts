/** Before any test: builds dist where a source is newer than it. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");

const changedAt = (path: string): number => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

const isStale = (): boolean => {
  const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => !/\.(test|fixture)\.ts$/.test(name))
    .map((name) => join(root, "src", name));
  // A folder changes when a file of it comes or goes.
  const inputs = [...sources, join(root, "package.json"), join(root, "tsconfig.build.json")];
  return Math.max(...inputs.map(changedAt)) > changedAt(join(root, "dist/cli/index.js"));
};

export default (): void => {
  if (!isStale()) return;
  const tsc = join(root, "node_modules/typescript7/bin/tsc");
  execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], { stdio: "inherit" });
};
