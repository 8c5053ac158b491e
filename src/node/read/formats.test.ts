import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { counted, dir, failure, put, read, texts } from "./formats.fixture.ts";
import { htmlToText } from "./html.ts";
import { listInputs, type ReadOptions, readFileDocuments } from "./read.ts";

describe("JSON files", () => {
  test("an array, one record and records side by side, with brackets in strings", async () => {
    const rows = ['one ]}[{ \\" two', "three\n\u00e9", "four"].map((text) => ({
      text,
      deep: [[{ a: "]" }]],
    }));
    const array = JSON.stringify(rows, null, 2);
    const wanted = rows.map(({ text }) => text);
    expect(await texts(await put("array.json", array))).toEqual(wanted);
    expect(await texts(await put("array.json.gz", gzipSync(array)))).toEqual(wanted);
    expect(await texts(await put("dense.json", JSON.stringify(rows)))).toEqual(wanted);
    expect(await texts(await put("one.json", JSON.stringify(rows[0])))).toEqual([wanted[0]]);
    expect(await texts(await put("side.json", rows.map((r) => JSON.stringify(r)).join("\n")))).toEqual(
      wanted,
    );
    expect(await texts(await put("none.json", " [ ] "))).toEqual([]);
  });

  test("records are found across pieces of the file, and named apart", async () => {
    const rows = Array.from({ length: 4000 }, (_, i) => ({ text: `row ${i} \u20ac ${"x".repeat(i % 97)}` }));
    const path = await put("long.json", JSON.stringify(rows));
    const list = await read(path);
    expect(list.map(({ text }) => text)).toEqual(rows.map(({ text }) => text));
    expect(new Set(list.map(({ id }) => id)).size).toBe(4000);
  });

  test("what is torn, no object, too long or too deep is refused or counted", async () => {
    const torn = await put("torn.json", '[\n{"text":"a"},\n{"text":"b"}');
    expect((await failure(torn)).message).toMatch(/torn\.json:3.*not closed/);
    expect((await counted(torn)).kept).toEqual(["a", "b"]);
    const mixed = await put("mixed.json", '[{"text":"a"}, 12, "b", {"text":"c"}, null]');
    const { kept, errors } = await counted(mixed);
    expect(kept).toEqual(["a", "c"]);
    expect(errors).toHaveLength(3);
    const long = await put("wide.json", `[{"text":"${"x".repeat(300_000)}"}]`);
    expect((await failure(long, { maxRecordBytes: 1000 })).message).toMatch(/longer than 1000 bytes/);
    const deep = `{"text":"a","x":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const bombs = await put("deep.jsonl", `{"text":"fine"}\n${deep}\n`);
    expect((await failure(bombs)).message).toMatch(/deep\.jsonl:2.*nested deeper than 64/);
    expect((await counted(bombs)).kept).toEqual(["fine"]);
    expect((await failure(await put("deep.json", `[${deep}]`))).message).toMatch(/nested deeper/);
  });
});

describe("rows", () => {
  test("conversations and pairs become text, and keep their turns", async () => {
    const messages = [
      { role: "user", content: "hi" },
      { role: "assistant", content: [{ type: "text", text: "hel" }, { text: "lo" }] },
    ];
    const share = [
      { from: "human", value: "hi" },
      { from: "gpt", value: "hello" },
    ];
    const rows = [{ messages }, { conversations: share }, { prompt: "2+2=", completion: "4" }];
    const list = await read(await put("chat.jsonl", rows.map((row) => JSON.stringify(row)).join("\n")));
    const turns = [
      { role: "user", content: "hi" },
      { role: "assistant", content: "hello" },
    ];
    expect(list.map(({ text }) => text)).toEqual([
      "user: hi\nassistant: hello",
      "user: hi\nassistant: hello",
      "2+2=\n4",
    ]);
    expect(list.slice(0, 2).map((doc) => doc.turns)).toEqual([turns, turns]);
    expect(list[2]!.turns).toEqual([
      { role: "prompt", content: "2+2=" },
      { role: "completion", content: "4" },
    ]);
    const table = `prompt,completion,n\n"a, b",c,1\n`;
    expect(await texts(await put("pairs.csv", table))).toEqual(["a, b\nc"]);
  });

  test("a named field wins; fields that are not read are told once", async () => {
    const path = await put("named.jsonl", '{"text":"t","body":"b","x":1}\n{"text":"t2","body":"b2","x":1}\n');
    const warnings: string[] = [];
    expect(await texts(path, { field: "body", onWarning: (w) => warnings.push(w) })).toEqual(["b", "b2"]);
    expect(warnings).toEqual(["these fields are not read: text, x"]);
    const table: string[] = [];
    await texts(await put("named.csv", "text,x,y\na,1,2\nb,3,4\n"), { onWarning: (w) => table.push(w) });
    expect(table).toEqual(["these fields are not read: x, y"]);
  });

  test("policies, types, source and group", async () => {
    const rows = [
      { text: "one", lang: "en", from: "wiki", who: 7 },
      { text: null, title: "a title", lang: "en" },
      { text: "N/A", title: "-", lang: "" },
      { text: 12.5, lang: null },
      { body: "no text here", lang: "fr" },
    ];
    const options: ReadOptions = {
      fields: { lang: { drop: true }, text: { from: "title" } },
      sourceField: "from",
      groupField: "who",
    };
    const path = await put(
      "policies.jsonl",
      rows
        .slice(0, 4)
        .map((row) => JSON.stringify(row))
        .join("\n"),
    );
    const list = await read(path, options);
    expect(list[0]).toMatchObject({ text: "one", source: "wiki", group: "7" });
    expect(list[1]).toMatchObject({ text: "a title", notes: ['field "text" filled from "title"'] });
    expect(list.slice(2).map(({ dropped }) => dropped)).toEqual(Array(2).fill('field "lang" is missing'));
    const last = await put("default.jsonl", JSON.stringify(rows[4]));
    expect(await texts(last, { fields: { text: { default: "(none)" } } })).toEqual(["(none)"]);
    const table = await put("ragged.csv", "id,lang,text\n1,en,a\n2,en\n3,,c\n");
    const filled = { fields: { text: { default: "?" }, lang: { default: "xx" } }, sourceField: "lang" };
    expect((await read(table, filled)).map(({ text, source }) => [text, source])).toEqual([
      ["a", "en"],
      ["?", "en"],
      ["c", "xx"],
    ]);
    const [number] = await read(await put("number.jsonl", '{"text":12.5}'));
    expect(number).toMatchObject({ text: "12.5", notes: ["number converted to text"] });
  });
});

describe("HTML", () => {
  test("blocks end lines, scripts and navigation go, preformatted text stays", async () => {
    const page = `<!doctype html><html><head><title>T</title><style>p{}</style><script>if (a<b) "</p>"</script></head>
      <body><nav><ul><li>Home<nav>x</nav></li></ul></nav><h1>A  title &amp; more</h1><p>One <b>bold</b>
      word.<br>Next&nbsp;line<p>Two<table><tr><td>a<td>b</tr><tr><td>c</table><pre>  x\n   y</pre>end`;
    expect(await texts(await put("page.html", page))).toEqual([
      "A title & more\n\nOne bold word.\nNext\u00a0line\n\nTwo\n\na b\nc\n\n  x\n   y\n\nend",
    ]);
    expect(await texts(await put("page.htm.gz", gzipSync("<p>zipped")))).toEqual(["zipped"]);
    expect((await failure(await put("big.html", page), { maxRecordBytes: 100 })).message).toMatch(
      /longer than/,
    );
  });

  test("navigation that is left open ends with what is around it", () => {
    const page = "<div><nav><ul><li>a<img><li>b</ul></div><p>text</p><nav><div>c</div></nav>end";
    expect(htmlToText(page)).toBe("text\n\nend");
    expect(htmlToText("<div><nav><b>a</b></div><p>text</p><nav><div>c</div></nav>end")).toBe("text\n\nend");
  });

  test("deep and torn pages cost neither the stack nor the time", () => {
    expect(htmlToText(`${"<div>".repeat(200_000)}x${"</div>".repeat(200_000)}`)).toBe("x");
    expect(htmlToText(`a${"<".repeat(100_000)}`)).toMatch(/^a</);
    expect(htmlToText('<p>a</p><a href="never closed')).toBe("a");
    expect(htmlToText(`<p>${"word ".repeat(100_000)}</p>`)).toHaveLength(499_999);
  });
});

describe("inputs", () => {
  test("are listed in the order of their names, with size and hash", async () => {
    await put("in/b/z.jsonl", "{}");
    await put("in/a.txt", "abc");
    await put("in/dataset_info.json", "{}");
    await put("in/c.json", "[]");
    await put("in/c.bin", "no");
    const list = await listInputs([join(dir, "in/c.json"), join(dir, "in")], { hash: true });
    expect(list.map(({ name }) => name)).toEqual(["a.txt", "b/z.jsonl", "c.json"]);
    const sha256 = createHash("sha256").update("abc").digest("hex");
    expect(list[0]).toEqual({ path: join(dir, "in/a.txt"), name: "a.txt", sizeBytes: 3, sha256 });
    const globbed = await listInputs([join(dir, "in/**/*.{txt,jsonl}")]);
    expect(globbed.map(({ name }) => name)).toEqual(["a.txt", "b/z.jsonl"]);
    const files: string[] = [];
    for (const file of globbed.slice(0, 1)) {
      for await (const { text } of readFileDocuments(file)) files.push(text);
    }
    expect(files).toEqual(["abc"]);
  });

  test("of one name in two folders are told apart", async () => {
    await put("p/a.txt", "1");
    await put("q/a.txt", "2");
    const list = await listInputs([join(dir, "p"), join(dir, "q")]);
    expect(list.map(({ name }) => name)).toEqual(["a.txt", "a.txt~2"]);
  });
});
