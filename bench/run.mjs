// npm run -s bench -- NAME: progress on stderr, one JSON object as the last line of stdout.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";

const name = process.argv[2];
const names = readdirSync(new URL("./suites", import.meta.url))
  .filter((f) => f.endsWith(".mjs"))
  .map((f) => f.slice(0, -4))
  .sort();
if (!names.includes(name)) {
  console.error(`usage: npm run -s bench -- NAME\nNAME is one of: ${names.join(", ")}`);
  process.exit(2);
}

const { default: bench } = await import(`./suites/${name}.mjs`);
const metrics = await bench({ log: (line) => console.error(line), args: process.argv.slice(3) });
const require = createRequire(import.meta.url);
const [cpu] = cpus();
console.log(
  JSON.stringify({
    name,
    machine: { cpu: cpu?.model, cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30) },
    versions: {
      node: process.versions.node,
      anneal: require("../package.json").version,
      onnxruntime: require("onnxruntime-node/package.json").version,
    },
    metrics,
  }),
);
