// npm run -s faults -- VERB [--every] [--part I/N]: kills and errors at the calls that change files; "all" runs every verb.
import { createJiti } from "jiti";

const { faults } = await createJiti(import.meta.url).import("./faults/command.ts");
process.exitCode = await faults(process.argv.slice(2));
