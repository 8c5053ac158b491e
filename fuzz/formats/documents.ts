/** Files of users as documents: JSON lines, JSON, tables, pages. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ReadOptions, readFileDocuments } from "../../src/node/read/read.ts";
import type { Format } from "../format.ts";
import type { Mutate } from "../mutate/bytes.ts";
import { orBytes } from "../mutate/bytes.ts";
import { changedJson, jsonBytes, mutateJson } from "../mutate/json.ts";
import { mutateText } from "../mutate/text.ts";
import { folder } from "./folder.ts";

const dir = await folder();

/** What a user may say; which of them an input meets depends on its length. */
const options: readonly ReadOptions[] = [
  {},
  { skipBadRows: true },
  { encoding: "auto" },
  { encoding: "windows-1252", field: "a" },
  { maxRecordBytes: 256, skipBadRows: true },
  { field: "content" },
];

const documents = (kind: string, seeds: readonly (string | Uint8Array)[], mutate: Mutate): Format => {
  const path = join(dir, `x.${kind}`);
  return {
    seeds: seeds.map((seed) => (typeof seed === "string" ? new TextEncoder().encode(seed) : seed)),
    mutate,
    read: async (bytes) => {
      writeFileSync(path, bytes);
      let characters = 0;
      for await (const { text } of readFileDocuments(path, options[bytes.length % options.length]))
        characters += text.length;
      return characters;
    },
  };
};

const rows = [
  { text: "The quick brown fox.", id: 1 },
  { text: "Größe 😀\n\nsecond", meta: { a: [1, 2, { b: null }] } },
  {
    messages: [
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
    ],
  },
  { prompt: "a", completion: "b" },
  {
    conversations: [
      { from: "human", value: "x" },
      { from: "gpt", value: "y" },
    ],
  },
  { content: "<p>one &amp; two</p>", a: "z" },
];

/** One line changed. */
const mutateLines = orBytes((bytes, random, others) => {
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  const at = random.int(lines.length);
  const line = changedJson(lines[at]!, random);
  const end = random.int(10) === 0 ? "\r\n" : "\n";
  if (line === undefined)
    return mutateText(["\n", "\r", "{", "}", "\ufeff", "null", '"'])(bytes, random, others);
  lines.splice(at, random.int(4) === 0 ? 0 : 1, line);
  return new TextEncoder().encode(lines.join(end));
});

const lines = (some: readonly unknown[]): string => some.map((row) => `${JSON.stringify(row)}\n`).join("");

export const jsonl = documents(
  "jsonl",
  [lines(rows.slice(0, 2)), ...rows.map((row) => lines([row, row]))],
  mutateLines,
);

export const json = documents(
  "json",
  [
    jsonBytes(rows.slice(0, 2)),
    ...rows.map((row) => jsonBytes([row, row])),
    jsonBytes({ data: rows.slice(0, 2) }),
  ],
  mutateJson,
);

const tableWords = [
  ",",
  "\t",
  ";",
  "|",
  '"',
  '""',
  "\n",
  "\r\n",
  "\r",
  "text",
  "label",
  "\ufeff",
  "a,b",
  '"\n"',
  "\0",
  "é",
  "x",
];

export const csv = documents(
  "csv",
  [
    'text,label\n"one, two",1\n"three ""quoted""\nline",0\n',
    "a;text;b\r\n1;eins zwei;x\r\n2;größe;y\r\n",
    "text|n\nfoo|1\nbar|2\n",
    "just text\nwithout columns\n",
  ],
  mutateText(tableWords),
);

export const tsv = documents(
  "tsv",
  ["text\tlabel\nfirst one\t1\nsecond\t0\n", 'id\ttext\n1\t"a\tb"\n2\tc\n', "text\ta\n\t\nb\tc\n"],
  mutateText(tableWords),
);

const pageWords = [
  ..."< > </ /> <!-- --> <![CDATA[ ]]> &amp; &#x110000; &#0; &notin; <p> </p> <div> <br> <table> <tr> <td>".split(
    " ",
  ),
  ..."<script> </script> <style> </style> <pre> <svg> </svg> <title> <textarea> <nav> <plaintext> <a <li>".split(
    " ",
  ),
  ...[
    '<meta charset="windows-1251">',
    '<?xml encoding="',
    "=",
    '"',
    "'",
    "\0",
    "\ufeff",
    "é",
    " ",
    "\n",
    "&",
    ";",
  ],
];

export const html = documents(
  "html",
  [
    "<!doctype html><html><head><title>A page</title><style>p{}</style></head><body><nav>menu</nav><p>One &amp; two<br>three</p><ul><li>a<li>b</ul><script>if (a<b) x()</script><pre>  x\n y</pre></body></html>",
    '<meta charset="iso-8859-2"><table><tr><td>a</td><th>b</th></tr></table><svg><title>t</title><path/></svg>',
    '<?xml version="1.0" encoding="utf-8"?><div><!-- note --><p>text<textarea><b></textarea></div>',
  ],
  mutateText(pageWords),
);
