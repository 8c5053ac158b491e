/** From raw documents to batches of tokens. */
export * from "./batch.ts";
export * from "./clean.ts";
export * from "./dedup.ts";
export * from "./document.ts";
export * from "./hash.ts";
export * from "./masking.ts";
export * from "./pack.ts";
export * from "./prepare.ts";
