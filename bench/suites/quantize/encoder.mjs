// An encoder in 8 bits as it is shipped, beside OpenVINO's of the same float32 file (NNCF: weights and activations, calibrated on as
// much text), in turns, on one thread, a row of 128 tokens. What it costs is of the trained BERT (nats of held-out masked tokens), how
// fast it is of a BERT 768 wide with random weights, or of the model in --encoder. How many products read inputs of one digit, of the
// two that strong channels take, is said beside it, since that decides the time.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { int8Forms } from "../../../dist/compress/forms.js";
import { quantized } from "../../../dist/compress/quantize.js";
import { bert, bertConfig } from "../../../dist/models/encoders/bert.js";
import { initialize } from "../../../dist/nn/param.js";
import { writeFolder } from "../../../dist/node/files/checkpoints.js";
import { openModel } from "../../../dist/node/hub/hub.js";
import { exportModel } from "../../../dist/ship/onnx/export.js";
import { peerOf } from "../../peers/peer.mjs";
import { calibration, mean, paired } from "../trained/models.mjs";

const script = fileURLToPath(new URL("../../peers/openvino.py", import.meta.url));
const TOKENS = 128;
const TURN = 3;

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** Batches as the peer reads them. */
const writeBatches = (file, batches) => {
  const parts = batches.flatMap(({ inputIds, attentionMask, labels }) =>
    [Int32Array.from(inputIds.shape), inputIds.data, attentionMask.data, labels.data].map((data) =>
      Buffer.from(data.buffer, data.byteOffset, data.byteLength),
    ),
  );
  writeFileSync(file, Buffer.concat(parts));
  return file;
};

const asBatch = (rows) => {
  const shape = [rows.length, rows[0].length];
  const of = (data) => ({ shape, data: Int32Array.from(data) });
  return {
    inputIds: of(rows.flat()),
    attentionMask: of(rows.flat().fill(1)),
    labels: of(rows.flat().fill(-100)),
  };
};

/** The two files of a model as `anneal export` writes them. */
const shipped = async (engine, model, dir, texts) => {
  const int8 = await int8Forms(engine, model, texts);
  await writeFolder(dir, exportModel(model, { dtypes: ["fp32", "q8"], int8 }));
  const oneDigit = [...int8.values()].filter(({ digits }) => digits === 1).length;
  return {
    ...{ fp32: join(dir, "onnx", "model.onnx"), q8: join(dir, "onnx", "model_quantized.onnx") },
    products: { all: int8.size, oneDigit },
  };
};

/** Times a loaded graph on one row. */
const timed = (session) => {
  const shape = [1, TOKENS];
  const of = (make) => ({ dtype: "int64", shape, data: BigInt64Array.from({ length: TOKENS }, make) });
  const all = {
    input_ids: of((_, i) => BigInt(5 + ((i * 7919) % 1000))),
    attention_mask: of(() => 1n),
    token_type_ids: of(() => 0n),
  };
  const feeds = Object.fromEntries(Object.entries(all).filter(([name]) => name in session.inputTypes));
  return async (turns) => {
    const ms = [];
    for (let turn = 0; turn < turns; turn++) {
      const start = performance.now();
      await session.run(feeds);
      ms.push(performance.now() - start);
    }
    return ms;
  };
};

/** Median milliseconds of each, in turns of a few passes; the first turn is not counted. */
const raced = async (runners, turns) => {
  const times = Object.fromEntries(Object.keys(runners).map((name) => [name, []]));
  for (let turn = 0; turn <= turns; turn++)
    for (const [name, run] of Object.entries(runners)) {
      const ms = await run(TURN);
      if (turn > 0) times[name].push(...ms);
    }
  return Object.fromEntries(Object.entries(times).map(([name, ms]) => [name, median(ms)]));
};

/** The encoder that is timed. */
const wide = ({ tokenizer: { vocabSize, specials } }, layers) => {
  const config = bertConfig({
    ...{ vocab_size: vocabSize, hidden_size: 768, num_hidden_layers: layers, num_attention_heads: 12 },
    ...{ intermediate_size: 3072, max_position_embeddings: TOKENS, pad_token_id: specials.pad },
  });
  return { arch: bert, config, weights: initialize(bert.params(config), 1), history: [] };
};

/** Opens both files of both models at the peer's, in float32 and in 8 bits. */
const opened = async (peer, sides, calibrated) => {
  for (const [name, { fp32: file }] of Object.entries(sides))
    for (const bits of [32, 8])
      await peer.ask({ do: "open", name: `${name}${bits}`, file, threads: 1, bits, calibration: calibrated });
};

/** Medians of both sides' times, in turns. */
const racedBoth = async (engine, peer, { fp32, q8 }, turns) => {
  const own = [await engine.load(fp32), await engine.load(q8)];
  const asked = (name) => async (count) =>
    (await peer.ask({ do: "times", name, tokens: TOKENS, turns: count })).ms;
  const [plain, int8] = own.map(timed);
  const ms = await raced(
    { fp32: plain, int8, openVinoFp32: asked("wide32"), openVinoInt8: asked("wide8") },
    turns,
  );
  for (const session of own) await session.dispose();
  return ms;
};

/** Nats that the trained encoder loses in 8 bits, as a program here. */
const lostHere = async (engine, { data, model, score, dense }, tokens) => {
  const forms = await int8Forms(engine, model, calibration(data, 1, tokens));
  return paired(await score(quantized(model, { bits: 8 }, { forms })), dense).gap;
};

/** Speeds and losses of both sides. */
export const encoderPart = async (engine, subject, { encoder, layers, turns, tokens, log }) => {
  const { data, model, heldOut, dense } = subject;
  const dir = mkdtempSync(join(tmpdir(), "anneal-encoder-"));
  const peer = peerOf(script);
  try {
    const texts = calibration(data, 1, 64 * TOKENS);
    const calibrated = writeBatches(join(dir, "calibration"), [asBatch(texts)]);
    const held = writeBatches(join(dir, "held"), heldOut.windows);
    const wideModel = encoder === "" ? wide(data, layers) : (await openModel(encoder, {})).model;
    const sides = {
      trained: await shipped(engine, model, join(dir, "trained"), texts.slice(0, 16)),
      wide: await shipped(engine, wideModel, join(dir, "wide"), texts.slice(0, 16)),
    };
    await opened(peer, sides, calibrated);
    const natsOf = async (bits) => (await peer.ask({ do: "nats", name: `trained${bits}`, file: held })).nats;
    const ms = await racedBoth(engine, peer, sides.wide, turns);
    const found = {
      encoderInt8Speedup: ms.fp32 / ms.int8,
      encoderInt8OverOpenVino: ms.openVinoInt8 / ms.int8,
      openVinoInt8Speedup: ms.openVinoFp32 / ms.openVinoInt8,
      encoderInt8Lost: (await lostHere(engine, subject, tokens)) / mean(dense),
      openVinoInt8Lost: (await natsOf(8)) / (await natsOf(32)) - 1,
      ...{ encoderMs: ms, encoderProducts: sides.wide.products },
    };
    log(`encoder: ${JSON.stringify(found)}`);
    return found;
  } finally {
    peer.end();
    rmSync(dir, { recursive: true, force: true });
  }
};
