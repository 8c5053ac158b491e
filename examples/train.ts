/**
 * Trains a small character model on a text and lets it write.
 * Usage: train.ts FILE [STEPS]
 */
import { readFileSync } from "node:fs";
import {
  adamw,
  charTokenizer,
  cosineSchedule,
  generate,
  gpt2,
  gpt2Config,
  initialize,
  tensor,
  train,
} from "anneal";
import { batches, pack, split } from "anneal/data";
import { nodeEngine } from "anneal/node";
import { decoder } from "anneal/serve";

const [file = "README.md", steps = "300"] = process.argv.slice(2);
const [batch, context] = [8, 64];

// Paragraphs are documents: some of them are held out by `split`.
const documents = readFileSync(file, "utf8")
  .split(/\n{2,}/)
  .map((text, i) => ({ id: `${file}:${i}`, text }));
const tokenizer = charTokenizer(documents.map(({ text }) => text));
const { tokens } = pack(split(documents, 0.1, 1).train, tokenizer);

const shape = { n_positions: context, n_embd: 96, n_layer: 2, n_head: 4 };
const config = gpt2Config({ vocab_size: tokenizer.vocabSize, ...shape });
const fresh = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
const batchAt = batches({ tokens, batch, context, seed: 1 });
const source = (index: number) => {
  const { inputIds, labels } = batchAt(index);
  return {
    inputIds: tensor("int32", [batch, context], inputIds),
    labels: tensor("int32", [batch * context], labels),
  };
};

const engine = await nodeEngine();
const schedule = cosineSchedule({ lrPeak: 3e-3, warmup: 10, steps: Number(steps) });
const options = { batch, context, optimizer: adamw(), clipNorm: 1, steps: Number(steps), schedule };
const onRow = ({ step, loss }: { step: number; loss?: number }) => {
  if (step % 50 === 0 && loss !== undefined) console.log(`step ${step}: ${loss.toFixed(3)} nats a character`);
};
const { model } = await train(engine, fresh, source, { ...options, onRow });

const writer = await decoder(engine, model);
const ids: number[] = [];
for await (const id of generate(writer, tokenizer.encode("\n"), { maxTokens: 60, temperature: 0.8 }))
  ids.push(id);
console.log(tokenizer.decode(ids));
await writer.dispose();
