// Engines that continue prompts, each in a process of its own, in turns.
import { fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { loadGraph } from "../../../dist/node/runtime/graph.js";
import { decoderOf, generate } from "../../../dist/serve/index.js";

export const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** Engines: each loads and gives a function that continues a prompt and says when each token came, ms. */
const engines = {
  anneal: async ({ dir, file, shape, threads }) => {
    const decoder = decoderOf(await loadGraph(await nodeEngine({ threads }), join(dir, "onnx", file)), shape);
    return async (prompt, tokens) => {
      const times = [];
      for await (const _ of generate(decoder, prompt, { temperature: 0, maxTokens: tokens }))
        times.push(performance.now());
      return times;
    };
  },
  transformersJs: async ({ dir, hf, threads }) => {
    const { AutoModelForCausalLM, BaseStreamer, env, Tensor } = await import("@huggingface/transformers");
    Object.assign(env, { allowRemoteModels: false, localModelPath: "/" });
    const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    const model = await AutoModelForCausalLM.from_pretrained(dir, { dtype: hf, session_options });
    return async (prompt, tokens) => {
      const times = [];
      class Clock extends BaseStreamer {
        put() {
          times.push(performance.now());
        }
        end() {}
      }
      const tensor = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, prompt.length]);
      await model.generate({
        input_ids: tensor(prompt),
        attention_mask: tensor(prompt.map(() => 1)),
        do_sample: false,
        max_new_tokens: tokens,
        min_new_tokens: tokens,
        streamer: new Clock(),
      });
      return times.slice(1); // the first is the prompt
    };
  },
  llamaCpp: async ({ dir, threads, context }) => {
    const { getLlama } = await import("node-llama-cpp");
    const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
    const model = await llama.loadModel({ modelPath: join(dir, "model.gguf"), gpuLayers: 0 });
    const made = await model.createContext({ contextSize: context, batchSize: context, threads });
    const sequence = made.getSequence();
    return async (prompt, tokens) => {
      await sequence.clearHistory();
      const times = [];
      for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
        times.push(performance.now());
        if (times.length === tokens) break;
      }
      return times;
    };
  },
};

/** The engine's side: loads, then a round for each message. */
const serve = () => {
  let run;
  process.on("message", async ({ load, prompt, tokens }) => {
    if (load !== undefined) {
      run = await engines[load.engine](load);
      process.send({ loaded: true });
      return;
    }
    const start = performance.now();
    const times = await run(prompt, tokens);
    if (times.length !== tokens) throw new Error(`${times.length} tokens came, ${tokens} were asked for`);
    process.send({
      prefill: (1000 * prompt.length) / (times[0] - start),
      decode: (1000 * (tokens - 1)) / (times.at(-1) - times[0]),
    });
  });
};

export const child = (engine, load) => {
  const worker = fork(fileURLToPath(import.meta.url), ["engine"], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`${engine} ended with code ${code}`));
      worker.once("exit", ended);
      worker.once("message", (answer) => {
        worker.off("exit", ended);
        resolve(answer);
      });
      worker.send(message);
    });
  const end = () => new Promise((resolve) => worker.once("exit", resolve).kill("SIGKILL"));
  // An engine's threads go on spinning for a while after its turn: it is halted, so that it takes nothing from the others.
  const turn = async (message) => {
    worker.kill("SIGCONT");
    const answer = await ask(message);
    worker.kill("SIGSTOP");
    return answer;
  };
  return { turn, end, load: () => turn({ load: { engine, ...load } }) };
};

/** Rounds of every engine in turn: rates by engine, a list each. */
export const race = (load, given) =>
  raceOf(Object.fromEntries(Object.keys(engines).map((name) => [name, child(name, load)])), given);

/** Rounds of workers in turn: rates by name, a list each. */
export const raceOf = async (workers, { rounds, tokens, prompt, log }) => {
  const rates = Object.fromEntries(Object.keys(workers).map((name) => [name, []]));
  try {
    for (const [name, worker] of Object.entries(workers)) {
      try {
        await worker.load();
      } catch (error) {
        log(`  ${name} cannot run here: ${error.message}`);
        delete workers[name];
        delete rates[name];
      }
    }
    for (const worker of Object.values(workers)) await worker.turn({ prompt, tokens: 8 });
    for (let round = 0; round < rounds; round++) {
      for (const [name, worker] of Object.entries(workers))
        rates[name].push(await worker.turn({ prompt, tokens }));
    }
  } finally {
    await Promise.all(Object.values(workers).map((worker) => worker.end()));
  }
  for (const [name, list] of Object.entries(rates)) {
    const of = (key) => median(list.map((rate) => rate[key])).toFixed(1);
    log(`  ${name.padEnd(14)} decode ${of("decode")} tokens/s, prefill ${of("prefill")} tokens/s`);
  }
  return rates;
};

if (process.argv[2] === "engine" && process.send !== undefined) serve();
