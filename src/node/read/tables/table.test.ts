import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DataError } from "../../../util/errors.ts";
import { type ReadOptions, readDocuments } from "../read.ts";
import { type Row, rowCutter } from "./delimited.ts";
import { delimiterByte } from "./dialect.ts";

let dir = "";
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-tables-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const put = async (data: string | Uint8Array, ending = "csv"): Promise<string> => {
  const path = join(dir, `t${files++}.${ending}`);
  await writeFile(path, data);
  return path;
};
const texts = async (
  data: string | Uint8Array,
  ending = "csv",
  options: ReadOptions = {},
): Promise<string[]> => {
  const list: string[] = [];
  for await (const { text } of readDocuments([await put(data, ending)], options)) list.push(text);
  return list;
};
const failure = async (data: string, ending = "csv", options: ReadOptions = {}): Promise<DataError> => {
  const error: unknown = await texts(data, ending, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
};
const counted = async (data: string, ending = "csv") => {
  const errors: string[] = [];
  let records = 0;
  const onSkip = (error: DataError, count = 1): void => {
    errors.push(error.message);
    records += count;
  };
  return { kept: await texts(data, ending, { skipBadRows: true, onSkip }), errors, records };
};

describe("line ends", () => {
  const rows = ["First row", "Second row", "Third row"];
  test.each([
    ["CRLF header over LF rows", `id,text\r\n${rows.map((row, i) => `${i},${row}\n`).join("")}`],
    ["LF header over CRLF rows", `id,text\n${rows.map((row, i) => `${i},${row}\r\n`).join("")}`],
    ["one column", `text\r\n${rows.join("\n")}`],
    ["CR alone", `id,text\r${rows.map((row, i) => `${i},${row}\r`).join("")}`],
    ["empty lines between", `\n\nid,text\n\r\n${rows.map((row, i) => `${i},${row}\n\n  \n`).join("")}`],
  ])("%s", async (_, data) => expect(await texts(data)).toEqual(rows));

  test("CR in an LF file is text; line ends in quotes are kept; a header alone has no rows", async () => {
    expect(await texts('id,text\n1,"a\rb"\n2,c\rd\n')).toEqual(["a\rb", "c\rd"]);
    expect(await texts('text,n\r\n"a\r\nb",1\r\nc,2')).toEqual(["a\r\nb", "c"]);
    expect(await texts("id,text\n")).toEqual([]);
    expect(await texts("")).toEqual([]);
  });
});

describe("rows", () => {
  test("with more columns than the first are refused, but for empty ones", async () => {
    const cut = await failure("id,text\n1,The cat sat, the dog ran\n2,plain\n");
    expect(cut.details).toMatchObject({ line: 2, hint: expect.stringMatching(/quotes/) });
    expect((await failure("id\ttext\n1\ta\tb\n", "tsv")).message).toMatch(/tsv:2.*3 columns/);
    expect((await failure("text\nHello, there\n")).details.line).toBe(2);
    expect((await failure("a,b\nc,d,e\n", "csv", { field: "#1" })).details.line).toBe(2);
    expect(await texts("id,text,,\n1,one,,\n2,two,,,,\n3,three\n")).toEqual(["one", "two", "three"]);
  });

  test("quotes within a cell are text; doubled ones are one", async () => {
    const rows = 'id,text\n1,A 5" disk\n2,"She said ""yes"""\n3,""\n4,"a, b"\n';
    expect(await texts(rows)).toEqual(['A 5" disk', 'She said "yes"', "", "a, b"]);
  });

  test("a quote that is not closed is named where it opens, and all lines that it takes are counted", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => `${i},${i === 1 ? '"' : ""}row ${i}\n`).join("");
    expect((await failure(`id,text\n${rows}`)).message).toMatch(/csv:3: a quote opens/);
    expect(await counted(`id,text\n${rows}`)).toMatchObject({ kept: ["row 0"], records: 29 });
    const second = await failure('a,text\n"one\ntwo","three\nfour\n');
    expect(second.details.line).toBe(3);
  });

  test("text behind a closing quote costs the lines that the quote takes, and no more", async () => {
    const made = await counted('id,text\n1,"opens\n2,"closes" here\n3,fine\n');
    expect(made).toMatchObject({ kept: ["fine"], records: 2 });
    expect(made.errors[0]).toMatch(/csv:2: a quote opens/);
    expect(made.errors.join("")).not.toMatch(/Buffer|\[\d+,/);
  });

  test("a column that is there twice is refused where it is read", async () => {
    expect((await failure("text,text\na,b\n")).message).toMatch(/two columns are named "text"/);
    expect(await texts("n,n,text\n1,2,c\n")).toEqual(["c"]);
  });
});

describe("tabs", () => {
  test("quoted cells are read as programs write them that quote", async () => {
    const rows = 'text\tlabel\n"Line one\nline two"\t1\n"Left\tright"\t0\n"a ""b"""\t1\nplain\t0\n';
    expect(await texts(rows, "tsv")).toEqual(["Line one\nline two", "Left\tright", 'a "b"', "plain"]);
  });

  test("a quote that nothing closes is text", async () => {
    const rows = 'text\tlabel\n"Well" she said\t1\n"open\t0\n5" disk\t1\nlast "\t0\n';
    expect(await texts(rows, "tsv")).toEqual(['"Well" she said', '"open', '5" disk', 'last "']);
    const ends = 'label\ttext\n1\t"Here it begins\n0\tplain\n1\tand ends"\n';
    expect(await texts(ends, "tsv")).toEqual(['"Here it begins', "plain", 'and ends"']);
    const joins = 'text\tlabel\n"I came\t1\nhe said"\t0\n';
    expect(await texts(joins, "tsv")).toEqual(['"I came', 'he said"']);
  });

  test("many open quotes cost no more than the lines that they stand in", async () => {
    const rows = `label\ttext\n${'1\t"a ""b\n'.repeat(20_000)}`;
    expect(await texts(rows, "tsv")).toHaveLength(20_000);
  });
});

describe("delimiters", () => {
  const german = ["Der Hund, der bellt, beisst nicht", "Zweiter Satz"];
  test.each([";", "\t", "|", "^"])("%j is found by the header", async (d) => {
    const rows = [
      ["id", "text", "price"],
      ["1", german[0], "3,50"],
      ["2", german[1], "4,20"],
    ];
    const data = rows.map((row) => row.join(d)).join("\n");
    expect(await texts(data)).toEqual(german);
    expect(await texts(data, "tsv")).toEqual(german);
    expect(await texts(data.replace("id", '"id"'))).toEqual(german);
  });

  test("Excel's first line says it, and an option before that", async () => {
    expect(await texts("sep=;\r\nid;text\r\n1;Erster, mit Komma\r\n")).toEqual(["Erster, mit Komma"]);
    expect(await texts('"sep=|"\ntext|n\na,b|1\n')).toEqual(["a,b"]);
    expect(await texts("text~n\na,b~1\n", "csv", { delimiter: "~" })).toEqual(["a,b"]);
    expect(await texts("text\tn\na,b\t1\n", "csv", { delimiter: "tab" })).toEqual(["a,b"]);
    expect(() => delimiterByte("||")).toThrow(/no delimiter/);
    expect(() => delimiterByte('"')).toThrow(/no delimiter/);
  });

  test("who names a header whole is told of its columns", async () => {
    const error = await failure("id;text\n1;Der Hund, der bellt\n2;Satz\n", "csv", { field: "id;text" });
    expect(error.details.hint).toMatch(/id, text/);
  });

  test("commas stay where others stand in the texts", async () => {
    expect(await texts("text,n\na; b,1\nc; d,2\n")).toEqual(["a; b", "c; d"]);
    expect(await texts("text\na; b\nc; d\n")).toEqual(["a; b", "c; d"]);
    expect(await texts("1;Der Hund, der\n2;Satz\n", "csv", { field: "#2" })).toEqual([
      "Der Hund, der",
      "Satz",
    ]);
  });
});

test("what is written with quotes is read again, whatever the delimiter and the line ends", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", '"', ",", ";", "\n", "\r\n", " ", "é"), maxLength: 6 });
  const table = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      table,
      fc.constantFrom(",", ";", "|"),
      fc.constantFrom("\n", "\r\n"),
      (rows, delimiter, end) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const data = Buffer.from(rows.map((row) => row.map(quoted).join(delimiter) + end).join(""));
        const cutter = rowCutter("t", { delimiter: delimiterByte(delimiter), maxBytes: 1000 });
        const found: string[][] = [];
        const take = (row: Row | { error: DataError }): void => {
          if ("error" in row) throw row.error;
          found.push(row.cells.map((bytes) => bytes.toString()));
        };
        let number = 0;
        for (const line of data.toString("latin1").match(/[^\n]*\n/g) ?? []) {
          for (const row of cutter.push({ bytes: Buffer.from(line, "latin1"), number: ++number, offset: 0 }))
            take(row);
        }
        for (const row of cutter.end()) take(row);
        expect(found).toEqual(rows);
      },
    ),
    { numRuns: 500 },
  );
});
