// The process that runs the cases of one format; it may be ended by one of them.
import { createJiti } from "jiti";

const { work } = await createJiti(import.meta.url).import("./work.ts");
await work(process.argv.slice(2));
