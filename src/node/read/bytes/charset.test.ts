import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Document } from "../../../data/records/document.ts";
import { ConfigError, DataError } from "../../../util/errors.ts";
import { type ReadOptions, readDocuments } from "../read.ts";
import { charsetName, encodingNamed } from "./charset.ts";
import { loadCharsetDetector } from "./detectCharset.ts";

let dir = "";
let files = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-charset-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const read = async (
  data: Uint8Array | string,
  ending: string,
  options: ReadOptions = {},
): Promise<Document[]> => {
  const path = join(dir, `c${files++}.${ending}`);
  await writeFile(path, data);
  const list: Document[] = [];
  for await (const doc of readDocuments([path], options)) list.push(doc);
  return list;
};
const texts = async (
  data: Uint8Array | string,
  ending: string,
  options: ReadOptions = {},
): Promise<string[]> => (await read(data, ending, options)).map(({ text }) => text);
const failure = async (data: Uint8Array, ending: string, options: ReadOptions = {}): Promise<DataError> => {
  const error: unknown = await texts(data, ending, options).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
};

/** `text` in an encoding of single bytes, by what the platform decodes. */
const single = (text: string, name: string): Buffer => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const table = new Map(Array.from(new TextDecoder(name).decode(bytes), (c, i) => [c, i]));
  return Buffer.from(Array.from(text, (c) => table.get(c)!));
};

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const RUSSIAN = "Сегодня хорошая погода, и мы идём гулять в парк.";
const JAPANESE = "日本語のページです。天気がいいので公園に行きました。";
const CHINESE = "今天天气很好，我们去公园散步，大家都很高兴。";
const KOREAN = "오늘은 날씨가 매우 좋아서 우리는 공원에 산책하러 갑니다.";

/** Texts as single bytes, and as Python's codecs write those that take two. */
const samples: readonly (readonly [name: string, text: string, bytes: Buffer])[] = [
  ...["windows-1251", "koi8-r", "cp866", "iso-8859-5"].map(
    (name) => [name, RUSSIAN, single(RUSSIAN, charsetName(name)!)] as const,
  ),
  ...(
    [
      ["windows-1250", "Zażółć gęślą jaźń, proszę państwa, bo dziś jest środa."],
      ["iso-8859-2", "Dnes je velmi pěkné počasí a jdeme do parku s přáteli, žluťoučký kůň."],
      ["iso-8859-7", "Σήμερα ο καιρός είναι ωραίος και πηγαίνουμε βόλτα στο πάρκο."],
      ["windows-1254", "Bugün hava çok güzel ve biz parka yürüyüşe gidiyoruz, değil mi, ışık."],
      ["windows-1255", "היום מזג האוויר יפה ואנחנו הולכים לטייל בפארק עם החברים."],
      ["windows-1256", "الطقس جميل اليوم ونحن ذاهبون للتنزه في الحديقة مع الأصدقاء."],
      ["windows-1257", "Šiandien labai gražus oras ir mes einame pasivaikščioti į parką su draugais."],
      ["windows-874", "วันนี้อากาศดีมากและเราจะไปเดินเล่นในสวนสาธารณะ"],
      ["iso-8859-15", "Où êtes-vous allés cet été, garçon, et pourquoi si tôt déjà ?"],
    ] as const
  ).map(([name, text]) => [name, text, single(text, name)] as const),
  [
    "shift_jis",
    JAPANESE,
    hex(
      "93fa967b8cea82cc8379815b835782c582b7814293568b4382aa82a282a282cc82c58cf6898082c98d7382ab82dc82b582bd8142",
    ),
  ],
  [
    "euc-jp",
    "日本語のページです。天気がいいので公園に行きました。",
    hex(
      "c6fccbdcb8eca4cea5daa1bca5b8a4c7a4b9a1a3c5b7b5a4a4aca4a4a4a4a4cea4c7b8f8b1e0a4cbb9d4a4ada4dea4b7a4bfa1a3",
    ),
  ],
  [
    "gb2312",
    CHINESE,
    hex("bdf1ccecccecc6f8badcbac3a3acced2c3c7c8a5b9abd4b0c9a2b2bda3acb4f3bcd2b6bcbadcb8dfd0cba1a3"),
  ],
  [
    "big5",
    "今天天氣很好，我們去公園散步，大家都很高興。",
    hex("a4b5a4d1a4d1aef0abdca66ea141a7daadcca568a4bdb6e9b4b2a842a141a46aae61b3a3abdcb0aabfb3a143"),
  ],
  [
    "euc-kr",
    KOREAN,
    hex(
      "bfc0b4c3c0ba20b3afbebeb0a120b8c5bfec20c1c1bec6bcad20bfecb8aeb4c220b0f8bff8bfa120bbeac3a5c7cfb7af20b0a9b4cfb4d92e",
    ),
  ],
];

describe.each(samples)("%s", (name, text, bytes) => {
  const around = (before: string, after: string): Buffer =>
    Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)]);

  test("is read as named, in every kind of file", async () => {
    const encoding = encodingNamed(name);
    expect(await texts(bytes, "txt", { encoding })).toEqual([text]);
    const line = around('{"text":"', '"}\n');
    expect(await texts(Buffer.concat([line, line]), "jsonl", { encoding })).toEqual([text, text]);
    expect(await texts(around('[{"text":"', '"}]'), "json", { encoding })).toEqual([text]);
    expect(await texts(around('id|text\n1|"', '"\n'), "csv", { encoding })).toEqual([text]);
    expect((await failure(bytes, "txt")).details.hint).toMatch(/--encoding/);
  });

  test("is found out", async () => {
    expect(await texts(bytes, "txt", { encoding: "auto" })).toEqual([text]);
    const [row] = await read(around('id,text\n1,"', '"\n'), "csv", { encoding: "auto" });
    expect(row!.text).toBe(text);
    expect(row!.notes![0]).toMatch(/^read as /);
  });

  test("is read as a page declares it", async () => {
    const heads = [
      `<meta charset="${name}">`,
      `<!-- <meta charset=utf-8> --><META HTTP-EQUIV='Content-Type' CONTENT='text/html; charset=${name}'>`,
    ];
    for (const head of heads) {
      const page = around(
        `<!doctype html><html><head>${head}<title>T</title></head><body><p>`,
        "</p></body>",
      );
      expect(await texts(page, "html")).toEqual([text]);
      expect(await texts(page, "htm", { encoding: "auto" })).toEqual([text]);
    }
    const xml = around(`<?xml version="1.0" encoding="${name}"?><html><body><p>`, "</p></body></html>");
    expect(await texts(xml, "html")).toEqual([text]);
  });
});

describe("UTF-8", () => {
  test("stays what it is where another encoding is named, declared or looked for", async () => {
    for (const encoding of ["windows-1251", "gb18030", "auto"]) {
      expect(await texts(`${RUSSIAN} ${CHINESE}`, "txt", { encoding })).toEqual([`${RUSSIAN} ${CHINESE}`]);
    }
    const page = `<meta charset="iso-8859-1"><p>${RUSSIAN}`;
    expect(await texts(page, "html")).toEqual([RUSSIAN]);
    expect(await texts(`\ufeff<meta charset="shift_jis"><p>caf\u00e9`, "html")).toEqual(["café"]);
    expect(await texts(`<meta charset="utf-16"><p>caf\u00e9`, "html")).toEqual(["café"]);
    expect(await texts('<meta charset="no-such"><p>caf\u00e9', "html")).toEqual(["café"]);
  });

  test("and other records in one file are each read as what they are", async () => {
    const rows = [
      '{"text":"café"}\n',
      Buffer.from('{"text":"caf\u00e9 \u0093"}\n', "latin1"),
      '{"text":"naïve"}',
    ];
    const list = await read(Buffer.concat(rows.map((row) => Buffer.from(row))), "jsonl", {
      encoding: "auto",
    });
    expect(list.map(({ text }) => text)).toEqual(["café", "café “", "naïve"]);
  });
});

describe("what is not clear", () => {
  test("is refused by auto, which says what to do", async () => {
    for (const bytes of [Buffer.of(0x67, 0xf8, 0x69), single("мир", "windows-1251")]) {
      const error = await failure(bytes, "txt", { encoding: "auto" });
      expect(error.message).toMatch(/not UTF-8.*not clear/);
      expect(error.details.hint).toMatch(/--encoding windows-1251/);
    }
  });

  test("is never taken for another language's letters, however few there are", async () => {
    const detect = await loadCharsetDetector();
    for (const [name, text, bytes] of samples.slice(0, 13)) {
      const words = text.split(" ");
      for (let i = 0; i < words.length; i++) {
        const word = words.slice(i, i + 2).join(" ");
        const piece = single(word, charsetName(name)!);
        const found = detect(piece);
        if (found !== undefined)
          expect(new TextDecoder(found).decode(piece), `${name} as ${found}`).toBe(word);
      }
      expect(bytes.length).toBeGreaterThan(0);
    }
  });

  test("a record that is malformed in the named encoding costs itself alone", async () => {
    const rows = [hex("93fa967b"), Buffer.of(0x83, 0x20), hex("8cea")];
    const data = Buffer.concat(rows.flatMap((row) => [Buffer.from('{"text":"'), row, Buffer.from('"}\n')]));
    const error = await failure(data, "jsonl", { encoding: "shift_jis" });
    expect(error.message).toMatch(/jsonl:2: is not shift_jis/);
    const errors: string[] = [];
    const kept = await texts(data, "jsonl", {
      encoding: "shift_jis",
      skipBadRows: true,
      onSkip: (e) => errors.push(e.message),
    });
    expect([kept, errors.length]).toEqual([["日本", "語"], 1]);
  });
});

test("escapes of seven-bit Japanese are read where they are named, declared or looked for", async () => {
  const bytes = Buffer.concat([Buffer.from("\u001b$B"), Buffer.from("F|K\\8l"), Buffer.from("\u001b(B")]);
  for (const encoding of ["iso-2022-jp", "auto"]) {
    expect(await texts(bytes, "txt", { encoding })).toEqual(["日本語"]);
  }
  const page = Buffer.concat([Buffer.from('<meta charset="iso-2022-jp"><p>'), bytes]);
  expect(await texts(page, "html")).toEqual(["日本語"]);
});

test("UTF-16 without a mark is read where it is named or looked for, UTF-32 is refused", async () => {
  const little = Buffer.from("Plain words, caf\u00e9.\n", "utf16le");
  const big = Buffer.from(little).swap16();
  expect(await texts(little, "txt", { encoding: "utf-16le" })).toEqual(["Plain words, café.\n"]);
  expect(await texts(big, "txt", { encoding: "utf-16be" })).toEqual(["Plain words, café.\n"]);
  for (const bytes of [little, big]) {
    expect(await texts(bytes, "txt", { encoding: "auto" })).toEqual(["Plain words, café.\n"]);
  }
  expect((await failure(hex("fffe000041000000"), "txt")).message).toMatch(/UTF-32/);
});

test("encodings are named as the web, Windows and Python name them", () => {
  const names: Record<string, string> = {
    latin1: "windows-1252",
    "Latin-1": "windows-1252",
    cp1251: "windows-1251",
    gb2312: "gbk",
    cp932: "shift_jis",
    euc_kr: "euc-kr",
    iso8859_2: "iso-8859-2",
    KOI8_R: "koi8-r",
    utf8: "utf-8",
  };
  for (const [label, name] of Object.entries(names)) expect(encodingNamed(label)).toBe(name);
  expect(() => encodingNamed("utf-7")).toThrow(ConfigError);
  expect(() => encodingNamed("klingon")).toThrow(/no encoding "klingon"/);
});
