// Where the texts of benchmarks are, and what they hold.
import { existsSync, readFileSync } from "node:fs";

/** The file of a text; ends the process where it is not here. */
export const dataFile = (name) => {
  const folders = [process.env.ANNEAL_DATA, "../shared/data", "../../shared/data"].filter(Boolean);
  const file = folders.map((folder) => `${folder}/${name}`).find(existsSync);
  if (file !== undefined) return file;
  console.error(`${name} is not here; set ANNEAL_DATA to the folder that has it`);
  process.exit(4);
};

/** The lines of a text that are not empty. */
export const linesOf = (name) =>
  readFileSync(dataFile(name), "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");

/** SST-2's sentences with their labels. */
export const reviews = (name) =>
  linesOf(name).map((line) => {
    const [text, label] = line.split("\t");
    return { text, label: label === "1" ? "positive" : "negative" };
  });

export const jsonLines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
