/** Layers, losses, parameters. */
export * from "./attention.ts";
export * from "./dropout.ts";
export * from "./linear.ts";
export * from "./loss.ts";
export * from "./norm.ts";
export * from "./param.ts";
