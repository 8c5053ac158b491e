// How the programs of `bench scaling` tell what they found: a file each, since lines of several ranks on one pipe run
// into each other.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

let told = 0;

/** Tells `found` to the program that started this one, which reads the files in the order of ranks. */
export const tell = (found) => {
  const { into } = JSON.parse(process.argv[2]);
  const name = [String(found.rank ?? 0).padStart(4, "0"), process.pid, told++].join("-");
  writeFileSync(join(into, `${name}.json`), JSON.stringify(found));
};
