/** Low-rank adapters. */
export * from "./adapt.ts";
export * from "./merge.ts";
