/** Where the points of a front lie. */
import { join } from "node:path";

/** The folder of a trial. */
export const trialFolder = (out: string, number: number): string => join(out, `trial-${number}`);
