/** What the package shows: a name that comes or goes is seen in the diff of the list. */
import { expect, test } from "vitest";
import { publicNames, sourceProgram } from "../scripts/source.mjs";

test("each entry exports these names and no others", async () => {
  const names = Object.entries(publicNames(sourceProgram()));
  const text = names
    .map(([entry, own]) => `${entry}\n${own.map((name) => `  ${name}\n`).join("")}`)
    .join("\n");
  await expect(text).toMatchFileSnapshot("golden/publicNames.txt");
});
