/** The kinds of weights by name. */
import type { WeightKind } from "../param.ts";
import { adapted } from "./adapted.ts";
import { dora } from "./dora.ts";
import { int2, int4 } from "./int4.ts";
import { int8 } from "./int8.ts";
import { rounded } from "./rounded.ts";
import { tokens } from "./tokens.ts";

/** Every kind of weight but the dense one, which is a plain tensor. */
export const kinds = { int8, int4, int2, adapted, dora, rounded, tokens } satisfies Readonly<
  Record<string, WeightKind>
>;
