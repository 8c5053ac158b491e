/** A row for each op: one that is missing is a type error. */
import { attention } from "./attention.ts";
import type { Case, OpName } from "./case.ts";
import { dynamic } from "./dynamic.ts";
import { elementwise } from "./elementwise.ts";
import { linalg } from "./linalg.ts";
import { packed } from "./packed.ts";
import { reduce } from "./reduce.ts";
import { structure } from "./structure.ts";

export type { Arg, Case } from "./case.ts";
export { lossCases } from "./losses.ts";

export const opCases: Record<OpName, Case[]> = {
  ...elementwise,
  ...structure,
  ...linalg,
  ...reduce,
  ...attention,
  ...packed,
  ...dynamic,
};
