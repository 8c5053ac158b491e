/** Reverse-mode differentiation. */
export { grad, vjp } from "./grad.ts";
