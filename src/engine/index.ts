/** Where programs run, and how they get there. */
export * from "./compile.ts";
export * from "./engine.ts";
