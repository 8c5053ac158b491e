/**
 * Cleans and deduplicates the texts of a folder and says what was dropped, and why.
 * Usage: clean.ts FOLDER [OUT.jsonl]
 */
import { writeFileSync } from "node:fs";
import { prepare } from "anneal/data";
import { readDocuments } from "anneal/node";

const [folder = "docs", out] = process.argv.slice(2);

const { train, validation, report } = await prepare(readDocuments([folder]), {
  near: "fineweb",
  lines: "paragraph",
  filter: { preset: "none", personal: {} },
  validationShare: 0.1,
});

for (const { name, docsIn, docsOut, bytesIn, bytesOut, reasons } of report.stages) {
  console.log(`${name}: ${docsIn} -> ${docsOut} documents, ${bytesIn} -> ${bytesOut} bytes`);
  for (const { reason, count, examples } of reasons) {
    console.log(`  ${reason}: ${count}, such as ${examples[0]?.id}`);
  }
}
console.log(`${train.length} documents to train on, ${validation.length} held out`);
if (out !== undefined) writeFileSync(out, train.map((doc) => `${JSON.stringify(doc)}\n`).join(""));
