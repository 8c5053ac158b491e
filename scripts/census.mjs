/**
 * Counts what the house promises of its code and prints it: casts through unknown, exports without a docstring,
 * public names, long files, full folders. Ends with 1 where a promise is broken, and names the places.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { publicNames, root, sourceProgram, undocumented } from "./source.mjs";

const MOST_LINES = 300;

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .toString()
  .split("\n")
  .filter((path) => /\.(ts|mjs|js)$/.test(path) && existsSync(join(root, path)));

const linesOf = (path) => readFileSync(join(root, path), "utf8").split("\n").slice(0, -1);
const isSource = (path) => path.startsWith("src/") && !/\.(test|fixture)\.ts$/.test(path);

const sourceLines = (pattern) =>
  tracked
    .filter(isSource)
    .flatMap((path) => linesOf(path).flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}`] : [])));

const casts = sourceLines(/as unknown as/);
// Markdown takes `[B, T]: text` without backticks for a link's address, and the page shows nothing of it.
const lost = sourceLines(/^\s*(\/\*\*|\*) \[[^\]`]+\]: /);
const long = tracked.map((path) => [path, linesOf(path).length]).filter(([, lines]) => lines > MOST_LINES);
const folders = {};
for (const folder of tracked.filter(isSource).map((path) => dirname(path))) {
  folders[folder] = (folders[folder] ?? 0) + 1;
}
const [fullest, files] = Object.entries(folders).sort(([, a], [, b]) => b - a)[0];

const program = sourceProgram();
const names = Object.values(publicNames(program));
const silent = undocumented(program);

const figures = {
  "casts through unknown in src": casts.length,
  "exports without a docstring": silent.length,
  "docstrings taken for a link": lost.length,
  "public names, counted in each entry": names.flat().length,
  "public names, each counted once": new Set(names.flat()).size,
  [`files over ${MOST_LINES} lines`]: long.length,
  "files in the fullest folder of src": `${files} (${fullest})`,
};
for (const [what, count] of Object.entries(figures)) console.log(`${what.padEnd(36)} ${count}`);

const tooLong = long.map(([path, lines]) => `${path}: ${lines} lines`);
const broken = [...casts, ...silent, ...lost, ...tooLong];
for (const place of broken) console.error(`  ${place}`);
if (broken.length > 0) process.exitCode = 1;
