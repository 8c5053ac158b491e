#!/usr/bin/env node
import { existsSync } from "node:fs";

if (existsSync(new URL("../dist/cli/index.js", import.meta.url))) {
  const { main } = await import("../dist/cli/index.js");
  await main(process.argv.slice(2));
} else {
  const say = { hint: "run: npm install && npm run build", message: "anneal is not built: dist/ is missing" };
  if (process.argv.includes("--json"))
    console.log(JSON.stringify({ error: { name: "MissingError", ...say } }));
  else console.error(`error: ${say.message}\nhint: ${say.hint}`);
  process.exitCode = 4;
}
