/** generate as a user runs it: a decoder of its own training, a chat, a translation, what cannot generate. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { annealHere as anneal, onlyJson, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-generate-"));
const model = join(dir, "llama/model");
const shape = "--family llama --layers 2 --heads 2 --width 32 --context 96 --vocab 300".split(" ");

const template =
  "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}" +
  "{% if add_generation_prompt %}<assistant>{% endif %}";

beforeAll(async () => {
  writeCorpus(join(dir, "data"));
  const steps = ["--steps", "30", "--eval-every", "15", "--batch", "4", "--threads", "1"];
  const data = ["--data", join(dir, "data"), "--out", join(dir, "llama")];
  const trained = await anneal(["train", ...data, ...shape, ...steps, "--json"]);
  expect(trained.code, trained.stderr).toBe(0);
  const file = join(model, "tokenizer_config.json");
  const config = JSON.parse(readFileSync(file, "utf8")) as object;
  writeFileSync(file, JSON.stringify({ ...config, chat_template: template }));
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const generated = async (...args: string[]) => {
  const done = await anneal(["generate", ...args, "--json", "--seed", "3"]);
  expect(done.code, done.stderr).toBe(0);
  return onlyJson<{ readonly text?: string; readonly messages?: { role: string; content: string }[] }>(done);
};

describe("a llama of one's own", () => {
  it("continues a prompt, with one seed the same in each run", async () => {
    const asked = [model, "--prompt", "The quiet", "-n", "16", "--temperature", "0.7", "--min-p", "0.05"];
    const { text } = await generated(...asked);
    expect(text!.length).toBeGreaterThan(0);
    expect((await generated(...asked)).text).toBe(text);
  });

  it("ends at a stop string, wherever the tokens are cut", async () => {
    const asked = [model, "--prompt", "The quiet", "-n", "24", "--greedy"];
    const { text } = await generated(...asked);
    const stop = text!.slice(4, 7);
    const { text: cut } = await generated(...asked, "--stop", stop);
    expect(cut).toBe(text!.slice(0, text!.indexOf(stop)));
  });

  it("answers a chat as its template writes it, by the likeliest tokens unless told", async () => {
    const more = ["-n", "12"];
    const { messages } = await generated(
      model,
      "--chat",
      "--prompt",
      "The old lamp",
      "--system",
      "Hm.",
      ...more,
    );
    const written = "<system>Hm.\n<user>The old lamp\n<assistant>";
    const { text } = await generated(model, "--prompt", written, "--greedy", ...more);
    expect(messages).toEqual([
      { role: "system", content: "Hm." },
      { role: "user", content: "The old lamp" },
      { role: "assistant", content: text },
    ]);
  });

  it("remembers the lines of a conversation", async () => {
    const lines = { input: "The old\n\nThe new\n" };
    const done = await anneal(["generate", model, "--chat", "--json", "-n", "4", "--greedy"], lines);
    const { messages } = onlyJson<{ messages: { role: string; content: string }[] }>(done);
    expect(messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
    const before = `<user>The old\n<assistant>${messages[1]!.content}\n<user>The new\n<assistant>`;
    const { text } = await generated(model, "--prompt", before, "-n", "4", "--greedy");
    expect(messages[3]!.content).toBe(text);
  });

  it("searches with beams", async () => {
    const { text } = await generated(model, "--prompt", "The quiet", "-n", "12", "--beams", "3");
    expect(text!.length).toBeGreaterThan(3);
  });

  it("is gone on with: training starts from its weights", async () => {
    const data = ["--data", join(dir, "data"), "--out", join(dir, "more")];
    const steps = ["--steps", "2", "--warmup", "0", "--eval-every", "2", "--lr", "1e-5", "--lr-min", "0"];
    const done = await anneal(["train", ...data, "--from", model, ...steps, "--json"]);
    expect(done.code, done.stderr).toBe(0);
    const scratch = await anneal(["train", ...data, ...shape, ...steps, "--json", "--out", join(dir, "new")]);
    const [more, fresh] = [done, scratch].map((d) => onlyJson<{ valLoss: number }>(d).valLoss);
    expect(more).toBeLessThan(fresh! - 0.5);
  });
});

it("translates with beams, as generation_config.json says", async () => {
  const out = await writeModel(join(dir, "marian"), tinyModel("marian"), ["fp32", "q8"]);
  const { text } = await generated(out, "--prompt", "the cat sat on a mat", "-n", "8");
  expect(typeof text).toBe("string");
  writeFileSync(
    join(out, "generation_config.json"),
    JSON.stringify({ num_beams: 3, eos_token_id: 1, pad_token_id: 0, decoder_start_token_id: 0 }),
  );
  const beams = await generated(out, "--prompt", "the cat sat on a mat", "-n", "8");
  expect(beams.text).toBe(
    (await generated(out, "--prompt", "the cat sat on a mat", "-n", "8", "--beams", "3")).text,
  );
});

describe("what generation_config.json says", () => {
  const settings = (fields: object): string => {
    const out = join(dir, "settings");
    cpSync(join(dir, "marian"), out, { recursive: true });
    const ids = { eos_token_id: 1, pad_token_id: 0, decoder_start_token_id: 0 };
    writeFileSync(join(out, "generation_config.json"), JSON.stringify({ ...ids, ...fields }));
    return out;
  };
  const asked = ["--prompt", "the cat sat on a mat"];

  it("limits the answer, unless the user does", async () => {
    const out = settings({ max_length: 6, eos_token_id: [] });
    const own = (await generated(out, ...asked)).text!;
    expect((await generated(out, ...asked, "-n", "5")).text).toBe(own);
    expect((await generated(out, ...asked, "-n", "20")).text!.length).toBeGreaterThan(own.length);
  });

  it("is named once where it is not heeded", async () => {
    const done = await anneal(["generate", settings({ num_beam_groups: 2, top_k: -1 }), ...asked, "-n", "3"]);
    expect(done.code, done.stderr).toBe(0);
    expect(done.stderr.match(/num_beam_groups is not known here, and is not heeded/g)).toHaveLength(1);
    expect(done.stderr).not.toMatch(/top_k/);
  });

  it("leaves no token where what is forced is suppressed: an error that says so", async () => {
    const out = settings({ forced_bos_token_id: 5, suppress_tokens: [5] });
    const done = await anneal(["generate", out, ...asked, "-n", "3"]);
    expect(done.code).not.toBe(0);
    expect(done.stdout + done.stderr).toMatch(/the settings of generation leave no token/);
  });
});

describe("what cannot be", () => {
  const refused = async (...args: string[]): Promise<string> => {
    const done = await anneal(["generate", ...args]);
    expect(done.code).not.toBe(0);
    return done.stderr;
  };

  it("an encoder generates no text", async () => {
    const out = await writeModel(join(dir, "bert"), tinyModel("bert"), ["fp32"]);
    expect(await refused(out, "--prompt", "the cat")).toMatch(/BertForMaskedLM, an encoder/);
  });

  it("a model without a template has no chats", async () => {
    const out = await writeModel(join(dir, "gpt2"), tinyModel("gpt2"), ["fp32"]);
    expect(await refused(out, "--chat", "--prompt", "hi")).toMatch(/no chat template/);
  });

  it("unknown dtypes and dtypes that are not in the folder say what to do", async () => {
    expect(await refused(model, "--dtype", "q4f61")).toMatch(/did you mean "q4f16"/);
    expect(await refused(model, "--dtype", "fp16")).toMatch(/anneal export/);
  });
});
