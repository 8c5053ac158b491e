/**
 * Makes a checkpoint as Hugging Face lays it out, exports it for transformers.js and checks that its graphs
 * compute what its weights say. Usage: checkpoint.ts FOLDER
 */
import { join } from "node:path";
import { initialize, llama, llamaConfig, trainBpe } from "anneal";
import { writeFolder } from "anneal/node";
import { exportFolder, verifyFolder } from "anneal/recipes";
import { exportModel } from "anneal/ship";

const [folder = "anneal-out/example"] = process.argv.slice(2);
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value, null, 2));

const texts = ["low lower lowest", "new newer newest", "wide wider widest"];
const tokenizer = trainBpe(texts, { vocab: 280 });
const config = llamaConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 128,
  initializer_range: 0.2,
});
const model = { arch: llama, config, weights: initialize(llama.params(config), 1), history: [] };

// A checkpoint: config.json, model.safetensors, the tokenizer's files.
const files = tokenizer.files({ modelMaxLength: 128 });
const own = new Map([
  ["tokenizer.json", json(files.tokenizer)],
  ["tokenizer_config.json", json(files.config)],
]);
const checkpoint = join(folder, "checkpoint");
await writeFolder(checkpoint, exportModel(model, { files: own }));

// The same with graphs, and what they compute beside what the weights say.
const exported = await exportFolder(checkpoint, { out: join(folder, "web"), dtypes: ["fp32", "fp16"] });
for (const { name, sizeBytes } of exported.files) console.log(`${name}: ${sizeBytes} bytes`);
const { targets } = await verifyFolder(exported.path, { targets: ["node-cpu"], count: 2 });
for (const [target, { dtypes }] of Object.entries(targets)) {
  for (const [dtype, { status, cosine }] of Object.entries(dtypes ?? {})) {
    console.log(`${target} ${dtype}: ${status}, cosine ${cosine?.toFixed(5)}`);
  }
}
