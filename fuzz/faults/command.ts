/** The command: verbs that meet faults of the file system, each call in turn. */
import { parseArgs } from "node:util";
import { noFaults } from "./shim.ts";
import { every, ofEachKind, type Points, sweep } from "./sweep.ts";
import { verbs } from "./verbs.ts";

const usage = `usage: npm run -s faults -- VERB [--every] [--part I/N] [--verbose]
VERB is "all" or one of: ${Object.keys(verbs).join(", ")}
Without --every the first and the last call of each kind; --part takes a share of the faults, --verbose tells of
those that were met well too.`;

/** Runs the command line `VERB [--every] [--part I/N] [--verbose]`; gives the exit code. */
export const faults = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      every: { type: "boolean", default: false },
      part: { type: "string", default: "0/1" },
      verbose: { type: "boolean", default: false },
    },
    allowPositionals: true,
  });
  const [name = ""] = positionals;
  const names = name === "all" ? Object.keys(verbs) : [name];
  const [index, count] = values.part.split("/").map(Number) as [number, number];
  if (!names.every((one) => Object.hasOwn(verbs, one)) || !(index < count)) {
    console.error(usage);
    return 2;
  }
  if (noFaults !== undefined) {
    console.error(noFaults);
    return 4;
  }
  const chosen = values.every ? every : ofEachKind;
  const points: Points = (calls) => chosen(calls).filter((_, i) => i % count === index);
  let wrong = 0;
  for (const one of names) {
    let tried = 0;
    for await (const { fault, done, what } of sweep(one, points)) {
      tried++;
      if (what.length > 0) wrong++;
      const said = what.length === 0 ? "holds" : what.join("\n  ");
      if (what.length > 0 || values.verbose) console.log(`${one}, call ${fault.at}, ${done}: ${said}`);
    }
    console.log(`${one}: ${tried} faults`);
  }
  console.log(`${wrong} went wrong`);
  return wrong === 0 ? 0 : 1;
};
