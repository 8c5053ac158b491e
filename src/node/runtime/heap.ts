/** How much memory V8 takes for objects that live shortly. */
import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8's space for young objects as large as it is now. Tracing a step makes many objects that live for a
 * second, whereupon that space grows from 2 to 32 MB and stays so for hours, beside a step of a small model's
 * adapters that takes 170. To be called once text has been read, which goes faster in more space.
 */
export const keepHeapSmall = (): void => setFlagsFromString("--semi-space-growth-factor=1");
