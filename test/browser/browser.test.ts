/** The browser that pages are tried in. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBrowser, type PageHost } from "../../src/node/browser/browser.ts";
import { MissingError, RunError } from "../../src/util/errors.ts";
import { noBrowser } from "./folders.ts";

test("a program that is not there, or is no browser, is named with the way to have one", async () => {
  const none = openBrowser({ folders: {}, executablePath: "/no/chromium" });
  await expect(none).rejects.toThrow(MissingError);
  await expect(none).rejects.toMatchObject({
    details: { file: "/no/chromium", hint: expect.stringContaining("chromium") },
  });
  await expect(openBrowser({ folders: {}, executablePath: "/bin/false" })).rejects.toThrow(MissingError);
});

describe.skipIf(noBrowser !== undefined)(`Chromium${noBrowser === undefined ? "" : `: ${noBrowser}`}`, () => {
  let host: PageHost;
  beforeAll(async () => {
    host = await openBrowser({ folders: {}, files: { "/data.json": '{"a": 1}' } });
  });
  afterAll(() => host?.close());

  test("runs expressions, each in a page of its own that may have threads", async () => {
    expect(await host.run("(globalThis.left = 1, crossOriginIsolated)")).toBe(true);
    expect(await host.run("typeof left")).toBe("undefined");
    expect(await host.run("fetch('/data.json').then((r) => r.json())")).toEqual({ a: 1 });
    expect(await host.run("Promise.resolve(NaN)")).toBeNaN();
  });

  test("says what is thrown there, and what takes too long", async () => {
    await expect(host.run("Promise.reject(new Error('torn'))")).rejects.toThrow(RunError);
    await expect(host.run("Promise.reject(new Error('torn'))")).rejects.toThrow("torn");
    await expect(host.run("new Promise(() => {})", 300)).rejects.toThrow(/longer than 0\.3 s/);
    await expect(host.run("(() => { for (;;); })()", 300)).rejects.toThrow(/longer than 0\.3 s/);
    // A page that is still loading is late as well.
    await expect(host.run("1 + 1", 1)).rejects.toThrow(/longer than 0\.001 s/);
    expect(await host.run("1 + 1")).toBe(2);
  });

  test("offers WebGPU in software, and says so", async () => {
    const page = await openBrowser({ folders: {}, gpu: "software" });
    try {
      const adapter = await page.run(`navigator.gpu.requestAdapter()
        .then(({ info, features }) => ({ name: info.architecture, half: features.has("shader-f16") }))`);
      expect(adapter).toEqual({ name: "swiftshader", half: false });
    } finally {
      await page.close();
    }
  });
});
