import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { MissingError } from "../../util/errors.ts";
import { openBrowser } from "./browser.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-browser-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("a browser is started so that it calls nobody; one that does not start is a MissingError", async () => {
  if (process.platform === "win32") return;
  const program = join(dir, "browser");
  writeFileSync(program, `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/args\nexit 1\n`);
  chmodSync(program, 0o755);
  await expect(openBrowser({ folders: {}, executablePath: program })).rejects.toThrow(MissingError);
  const args = readFileSync(join(dir, "args"), "utf8").split("\n");
  const rules = args.find((arg) => arg.startsWith("--host-resolver-rules="));
  expect(rules).toMatch(/MAP \* ~NOTFOUND.*EXCLUDE 127\.0\.0\.1/);
  for (const flag of ["background-networking", "component-update", "domain-reliability", "sync"]) {
    expect(args).toContain(`--disable-${flag}`);
  }
  for (const flag of ["no-first-run", "no-pings", "no-proxy-server", "metrics-recording-only"]) {
    expect(args).toContain(`--${flag}`);
  }
}, 60_000);
