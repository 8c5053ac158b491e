/**
 * A headless Chromium for checks in a page, driven by playwright-core: of what is installed, nothing is
 * downloaded. WebGPU runs on the machine's adapter, else on SwiftShader, in software: slow, but the same
 * shaders.
 */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { MissingError, RunError } from "../../util/errors.ts";
import { optionalFolder, optionalPath } from "../files/optional.ts";
import { type StaticOptions, type StaticServer, serveStatic } from "./static.ts";

type Playwright = Pick<typeof import("playwright-core"), "chromium">;

/** Where systems put Chromium and browsers made of it. */
const places = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/usr/local/bin/chromium",
  "/opt/google/chrome/chrome",
  "/snap/bin/chromium",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
  "C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe",
];

const hint = "install chromium (apt install chromium, or Google Chrome), or say where it is with --browser";

const loadPlaywright = async (): Promise<Playwright> => {
  const url = pathToFileURL(optionalPath("playwright-core")).href;
  const loaded = (await import(url)) as Playwright & { default?: Playwright };
  return loaded.default ?? loaded;
};

/** Path of a browser's program. Throws MissingError where there is none. */
const findBrowser = ({ chromium }: Playwright, wanted: string | undefined): string => {
  if (wanted !== undefined) {
    if (existsSync(wanted)) return wanted;
    throw new MissingError("there is no browser here", { file: wanted, hint });
  }
  const found = [...places, chromium.executablePath()].find((path) => path !== "" && existsSync(path));
  if (found !== undefined) return found;
  throw new MissingError("no Chromium was found", { hint });
};

/** How WebGPU is had: not at all, of the machine's adapter, or in software. */
export type Gpu = "none" | "adapter" | "software";

const flags: Readonly<Record<Gpu, readonly string[]>> = {
  none: [],
  adapter: ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--ignore-gpu-blocklist"],
  software: ["--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader"],
};

/**
 * What keeps a browser that is to check files on this machine from calling anyone: its own services are off,
 * no proxy is asked, and no name but that of this machine leads anywhere.
 */
const silent: readonly string[] = [
  "--disable-background-networking",
  "--disable-breakpad",
  "--disable-client-side-phishing-detection",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-domain-reliability",
  "--disable-extensions",
  "--disable-sync",
  "--metrics-recording-only",
  "--no-default-browser-check",
  "--no-first-run",
  "--no-pings",
  "--no-proxy-server",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
];

/** Which browser, and what its pages find. */
export interface BrowserOptions extends StaticOptions {
  /** The browser's program; one that is installed unless told. */
  readonly executablePath?: string;
  readonly gpu?: Gpu;
  /** URLs of modules by the names that pages import them by, besides onnxruntime-web's. */
  readonly imports?: Readonly<Record<string, string>>;
}

/** A browser that runs pages. */
export interface PageHost {
  /** "Chromium 140.0.0.0". */
  readonly version: string;
  /** Origin of the server that the pages are of. */
  readonly origin: string;
  /** Serves the file at `file` as `path` from now on. */
  serve(path: string, file: string): void;
  /**
   * Runs JavaScript, an expression that may be a promise, in a page of its own and returns its value. Throws
   * RunError where it throws, where the page crashes, and after `timeoutMs`.
   */
  run<T>(expression: string, timeoutMs?: number): Promise<T>;
  close(): Promise<void>;
}

/** The package's own compiled files, seen from src/node as from dist/node. */
const dist = resolve(dirname(fileURLToPath(import.meta.url)), "../../../dist");

const pageHtml = (imports: Readonly<Record<string, string>>): string => `<!doctype html>
<meta charset="utf-8">
<title>anneal</title>
<link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports })}</script>
`;

/** URL of the runtime's .wasm files in a page. */
export const WASM_PATHS = "/ort/";
/** URL of this package's compiled files in a page. */
export const PACKAGE_PATH = "/anneal/";

const runIn = async <T>(
  browser: Browser,
  origin: string,
  expression: string,
  timeoutMs: number,
): Promise<T> => {
  const page = await browser.newPage();
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<never>((_, fail) => {
    page.on("crash", () => fail(new RunError("the page crashed")));
    const late = () => fail(new RunError(`the page took longer than ${timeoutMs / 1000} s`));
    timer = setTimeout(late, timeoutMs);
  });
  try {
    // Loading counts too: a deadline that passes while nobody waits for it would end the process.
    const work = page.goto(`${origin}/index.html`).then(() => page.evaluate(expression));
    return (await Promise.race([work, ended])) as T;
  } catch (cause) {
    if (cause instanceof RunError) throw cause;
    const [first = ""] = (cause as Error).message.replace(/^page\.evaluate: (Error: )?/, "").split("\n");
    throw new RunError(first, { cause });
  } finally {
    clearTimeout(timer);
    await page.close().catch(() => {});
  }
};

const launch = async (options: BrowserOptions): Promise<Browser> => {
  const playwright = await loadPlaywright();
  const executablePath = findBrowser(playwright, options.executablePath);
  try {
    return await playwright.chromium.launch({
      executablePath,
      headless: true,
      // Signals are the caller's, who may want to save first; the browser ends with the process anyway.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: [...silent, ...flags[options.gpu ?? "none"]],
    });
  } catch (cause) {
    const [first] = (cause as Error).message.split("\n");
    throw new MissingError(`the browser does not start (${first})`, { file: executablePath, cause, hint });
  }
};

/**
 * Starts a browser and a server for its pages, with this package at /anneal/, onnxruntime-web at /ort/ and
 * what `options` add. Throws MissingError where playwright-core, onnxruntime-web or a browser is missing.
 */
export const openBrowser = async (options: BrowserOptions): Promise<PageHost> => {
  const folders = { ort: optionalFolder("onnxruntime-web"), anneal: dist, ...options.folders };
  const browser = await launch(options);
  const imports = { "onnxruntime-web/webgpu": "/ort/ort.webgpu.bundle.min.mjs", ...options.imports };
  const files: Record<string, NonNullable<StaticOptions["files"]>[string]> = {
    "/index.html": pageHtml(imports),
    ...options.files,
  };
  let server: StaticServer;
  try {
    server = await serveStatic({ folders, files });
  } catch (error) {
    await browser.close();
    throw error;
  }
  const { origin } = server;
  return {
    version: `Chromium ${browser.version()}`,
    origin,
    serve(path, file) {
      files[path] = { path: file };
    },
    run: (expression, timeoutMs = 600_000) => runIn(browser, origin, expression, timeoutMs),
    async close() {
      await browser.close();
      await server.close();
    },
  };
};
