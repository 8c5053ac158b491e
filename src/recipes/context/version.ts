/** This package's version, as its package.json says it. */
import { createRequire } from "node:module";

export const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };
