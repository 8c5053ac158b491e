// npm run -s fuzz -- FORMAT [--cases N] [--seed S] [--file PATH]: faults on stdout; "all" runs every format in turn.
import { createJiti } from "jiti";

const { fuzz } = await createJiti(import.meta.url).import("./campaign.ts");
process.exitCode = await fuzz(process.argv.slice(2));
