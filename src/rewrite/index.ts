/** Graph rewrites: Program -> Program, and the list that every compilation goes through. */
import type { Program } from "../ir/program.ts";
import { cse } from "./cse.ts";
import { fold } from "./fold.ts";

export { cse } from "./cse.ts";
export { fold } from "./fold.ts";

/** The default rewrites in their order: what folding makes equal, cse joins. */
export const optimize = <P extends Program>(program: P): P => cse(fold(program));
