/** Reverse-mode differentiation. */
export * from "./grad.ts";
