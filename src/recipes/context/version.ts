import { createRequire } from "node:module";

/** This package's version, as its package.json says it. */
export const version: string = createRequire(import.meta.url)("../../../package.json").version;
