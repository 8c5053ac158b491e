/** Text that cannot be read and places that cannot be written: refused with a code, a place and a hint. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  annealHere as anneal,
  type Finished,
  filesBelow,
  onlyJson,
  sentences,
  writeCorpus,
} from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-bad-"));
const data = join(dir, "data");
const tiny = "--layers 1 --heads 1 --width 8 --context 16 --vocab 260 --steps 2 --batch 2 --threads 1".split(
  " ",
);
const train = (from: string, out: string, ...more: string[]): Promise<Finished> =>
  anneal(["train", "--data", from, "--out", out, ...tiny, "--quiet", ...more]);

interface Failed {
  readonly error: { readonly name: string; readonly message: string; readonly hint?: string };
}

beforeAll(async () => {
  writeCorpus(data);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("text", () => {
  it("torn in line 17 stops the run, unless bad rows may be left out", async () => {
    const from = join(dir, "torn.jsonl");
    const lines = sentences(40).map((text) => JSON.stringify({ text }));
    lines[16] = lines[16]!.slice(0, 12);
    writeFileSync(from, `${lines.join("\n")}\n`);
    const stopped = await train(from, join(dir, "torn"));
    expect(stopped).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining(`${from}:17`) });
    expect(stopped.stderr).toContain("--skip-bad-rows");
    expect(filesBelow(join(dir, "torn"))).toEqual([]);
    appendFileSync(from, '{"text": 3');
    const skipped = await train(from, join(dir, "torn"), "--skip-bad-rows");
    expect(skipped.code, skipped.stderr).toBe(0);
    expect(skipped.stderr).toMatch(/warning: 2 records could not be read, such as: .*torn\.jsonl:17/);
  });

  it("of a single small file is enough, and that of a few lines is refused with what to do", async () => {
    const from = join(dir, "single.txt");
    const lines = sentences(1200).map((text, i) => (i % 9 === 8 ? `${text}\n` : text));
    writeFileSync(from, lines.join("\n"));
    expect(statSync(from).size).toBeLessThan(2 ** 18);
    const trained = await train(from, join(dir, "single"));
    expect(trained.code, trained.stderr).toBe(0);
    writeFileSync(from, lines.slice(0, 20).join("\n"));
    const refused = await train(from, join(dir, "few"));
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("1 document left") });
    expect(refused.stderr).toContain("more than 16 KB");
  });

  it("without the wanted field is refused, naming the fields that there are", async () => {
    const from = join(dir, "fields.jsonl");
    writeFileSync(from, '{"title": "a", "body": "b"}\n');
    const ended = await train(from, join(dir, "fields"));
    expect(ended).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/fields\.jsonl:1.*\n.*title, body/),
    });
    const wrong = await train(from, join(dir, "fields"), "--field", "boddy");
    expect(wrong).toMatchObject({ code: 3, stderr: expect.stringContaining('"boddy"') });
  });

  it("that is not UTF-8 is refused, naming the byte", async () => {
    const from = join(dir, "latin1.txt");
    const text = "The quiet river holds the lamp.\n\nThe caf\u00e9 follows the lamp.\n";
    writeFileSync(from, Buffer.from(text, "latin1"));
    const ended = await train(from, join(dir, "latin1"), "--json");
    expect(ended.code).toBe(3);
    const { error } = onlyJson<Failed>(ended);
    expect(error).toMatchObject({
      name: "DataError",
      offset: text.indexOf("\u00e9"),
      hint: expect.stringContaining("iconv"),
    });
    expect(error.message).toContain(`${from}, byte ${text.indexOf("\u00e9")}`);
  });

  it("that is empty, or too little for one window, is refused", async () => {
    writeFileSync(join(dir, "empty.txt"), "");
    const empty = await train(join(dir, "empty.txt"), join(dir, "empty"));
    expect(empty).toMatchObject({ code: 3, stderr: expect.stringContaining("there are no documents") });
    writeFileSync(join(dir, "blank.txt"), " \n\n \n");
    const blank = await train(join(dir, "blank.txt"), join(dir, "empty"));
    expect(blank).toMatchObject({ code: 3, stderr: expect.stringMatching(/no documents|has any text left/) });
    writeFileSync(join(dir, "short.jsonl"), '{"text":"one two"}\n{"text":"three four"}\n');
    const short = await train(join(dir, "short.jsonl"), join(dir, "empty"), "--context", "512");
    expect(short).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/error: .*(window|context|tokens)/),
    });
    expect(filesBelow(join(dir, "empty"))).toEqual([]);
  });

  it("that is not there is refused, naming what stands near", async () => {
    const ended = await train(join(data, "corpsu.jsonl"), join(dir, "none"));
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining("corpus.jsonl") });
  });
});

describe("an --out", () => {
  it("below a file is refused, and the file stays", async () => {
    const file = join(dir, "file");
    writeFileSync(file, "mine");
    for (const out of [file, join(file, "out")]) {
      const ended = await train(data, out, "--json");
      expect([1, 2]).toContain(ended.code);
      expect(onlyJson<Failed>(ended).error.hint).toContain("--out");
    }
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  it("that is read-only is refused", async () => {
    // Permissions do not bind root; the kernel's own file systems do.
    const root = process.getuid?.() === 0;
    const place = root ? "/sys/kernel" : join(dir, "readOnly");
    if (!root) {
      mkdirSync(place);
      chmodSync(place, 0o555);
    }
    const ended = await train(data, join(place, "anneal"), "--json");
    expect([1, 2]).toContain(ended.code);
    expect(onlyJson<Failed>(ended).error.hint).toContain("--out");
    expect(existsSync(join(place, "anneal"))).toBe(false);
  });

  it("whose model folder holds someone's files is refused, and they stay", async () => {
    const out = join(dir, "theirs");
    mkdirSync(join(out, "model"), { recursive: true });
    writeFileSync(join(out, "model/thesis.txt"), "years of work");
    const ended = await train(data, out);
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("holds files that anneal did not make"),
    });
    expect(filesBelow(join(out, "model"))).toEqual(["thesis.txt"]);
  });
});

describe("a model's folder", () => {
  it("that lacks a file or is damaged is refused, naming the file", async () => {
    const out = join(dir, "model");
    expect(await train(data, out)).toMatchObject({ code: 0 });
    const weights = join(out, "model/model.safetensors");
    const bytes = readFileSync(weights);
    writeFileSync(weights, bytes.subarray(0, bytes.length - 64));
    const exported = await anneal(["export", join(out, "model"), "--out", join(dir, "again"), "--quiet"]);
    expect(exported).toMatchObject({ code: 3, stderr: expect.stringContaining("model.safetensors") });
    const ask = (): Promise<Finished> => anneal(["eval", join(out, "model"), "--data", data, "--quiet"]);
    rmSync(join(out, "model/tokenizer.json"));
    expect(await ask()).toMatchObject({ code: 3, stderr: expect.stringContaining("tokenizer.json") });
    writeFileSync(join(out, "model/config.json"), "{ torn");
    expect(await ask()).toMatchObject({ code: 3, stderr: expect.stringContaining("config.json") });
  });

  it("whose graph is damaged is refused, naming the file; a missing one is made of the weights", async () => {
    const out = join(dir, "graph");
    expect(await train(data, out)).toMatchObject({ code: 0 });
    const graph = join(out, "model/onnx/model.onnx");
    const write = (): Promise<Finished> =>
      anneal(["generate", join(out, "model"), "--prompt", "The", "--dtype", "fp32"]);
    const { stdout } = await write();
    writeFileSync(graph, readFileSync(graph).subarray(0, 500));
    expect(await write()).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining(graph) });
    rmSync(graph);
    expect(await write()).toMatchObject({ code: 0, stdout });
    rmSync(join(out, "model/model.safetensors"));
    expect(await write()).toMatchObject({ code: 3, stderr: expect.stringContaining("model.safetensors") });
  });
});
