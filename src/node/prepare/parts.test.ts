/** What evaluation files are looked for by. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { pipelineDefaults } from "../../data/pipeline/stages.ts";
import type { ReadOptions } from "../read/options.ts";
import { filterParts } from "./parts.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-parts-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const QUESTION =
  "Nora sold clips to forty eight of her friends in April, and then she sold half as many clips in May.";
const ANSWER = "She sold half of them in May, which is twenty four, so that there were seventy two in all.";

/** The index of an evaluation file of these contents. */
const indexOf = async (name: string, content: string, read: ReadOptions = {}) => {
  const path = join(dir, name);
  writeFileSync(path, content);
  const pipeline = { ...pipelineDefaults, filter: { preset: "none", contamination: {} } } as const;
  const { index } = await filterParts({ pipeline, read, evaluation: [{ path, sha256: name }] });
  return index!;
};

const lines = (...rows: readonly unknown[]): string =>
  `${rows.map((row) => JSON.stringify(row)).join("\n")}\n`;

describe("evaluation files", () => {
  test.each([
    ["fields.jsonl", lines({ id: 7, question: QUESTION, answer: ANSWER })],
    ["choices.jsonl", lines({ ctx: QUESTION, endings: ["no", { text: ANSWER }], label: 1 })],
    ["array.json", JSON.stringify([{ goal: QUESTION, sol1: ANSWER, sol2: "72" }])],
    ["table.csv", `question,answer\n"${QUESTION}","${ANSWER}"\n`],
    ["table.tsv", `question\tanswer\n${QUESTION}\t${ANSWER}\n`],
    ["pair.jsonl", lines({ prompt: QUESTION, completion: ANSWER })],
    [
      "chat.jsonl",
      lines({
        messages: [
          { role: "user", content: QUESTION },
          { role: "assistant", content: ANSWER },
        ],
      }),
    ],
  ])("%s: each text is looked for by itself", async (name, content) => {
    const index = await indexOf(name, content);
    expect(index).toMatchObject({ records: 1, tooShort: 0 });
    for (const text of [QUESTION, ANSWER]) expect(index.find(`Intro. ${text} More?`).hits).toHaveLength(1);
    expect(index.find("in all nora sold in may clips to forty eight of them half").hits).toEqual([]);
  });

  test("options for the data's fields and labels do not bind them", async () => {
    const read = {
      field: "body",
      groupField: "user",
      sourceField: "from",
      fields: { lang: { drop: true } },
    } as const;
    const index = await indexOf("own.jsonl", lines({ question: QUESTION }, { question: "72" }), read);
    expect(index).toMatchObject({ records: 2, tooShort: 1 });
    const named = await indexOf("named.jsonl", lines({ body: QUESTION, note: ANSWER }), read);
    expect([QUESTION, ANSWER].map((text) => named.find(text).hits.length)).toEqual([1, 0]);
  });

  test("the instruction of a chat's system is in the data by right", async () => {
    const turns = [
      { role: "system", content: ANSWER },
      { role: "user", content: QUESTION },
    ];
    const index = await indexOf("system.jsonl", lines({ messages: turns }));
    expect([ANSWER, QUESTION].map((text) => index.find(text).hits.length)).toEqual([0, 1]);
  });

  test("they are repaired as the data is", async () => {
    const text =
      "Le café de Noël était fermé à midi, et l’été après il était où nous l’avions laissé naguère";
    const broken = Buffer.from(text).toString("latin1").replaceAll("é", "e\u0301");
    const index = await indexOf("broken.jsonl", lines({ question: broken }));
    expect(index.find(text).hits).toHaveLength(1);
  });
});
