/** The architectures by config.json's model_type. */
import { gpt2 } from "./gpt2.ts";
import type { Architecture } from "./model.ts";

export const architectures: Readonly<Record<string, Architecture>> = { gpt2 };
