/** Encodes the texts that it is sent: a thread that `tokenizePool.ts` starts. */
import { parentPort, workerData } from "node:worker_threads";
import {
  type EncodeOptions,
  loadTokenizer,
  type Tokenizer,
  type TokenizerFiles,
} from "../../tokenizer/index.ts";
import { idBuffer } from "../../tokenizer/tokenizer.ts";

/** Texts to be encoded. */
export interface TokenizeTask {
  readonly task: number;
  readonly texts: readonly string[];
  readonly options: EncodeOptions;
}

/** Their ids end to end. */
export interface TokenizeAnswer {
  readonly task: number;
  readonly ids: Uint32Array;
  /** Where each text's ids begin, and where the last one's end. */
  readonly offsets: Uint32Array;
  /** What went wrong; there are no ids then. */
  readonly failed?: unknown;
}

/** The ids of texts end to end, and where each begins. */
export const encodeAll = (
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: EncodeOptions,
): { ids: Uint32Array<ArrayBuffer>; offsets: Uint32Array<ArrayBuffer> } => {
  const units = texts.reduce((sum, text) => sum + text.length, 0);
  const out = idBuffer(units >> 1);
  const offsets = new Uint32Array(texts.length + 1);
  texts.forEach((text, i) => {
    tokenizer.encodeInto(text, out, options);
    offsets[i + 1] = out.length;
  });
  return { ids: out.take() as Uint32Array<ArrayBuffer>, offsets };
};

/** What a thread of the pool is started with. */
export interface TokenizeStart {
  readonly tokenizePool: TokenizerFiles;
}

const port = parentPort;
const start = workerData as Partial<TokenizeStart> | null;
if (port !== null && start?.tokenizePool !== undefined) {
  const { tokenizer: json, config } = start.tokenizePool;
  const tokenizer = loadTokenizer(json, config);
  port.on("message", ({ task, texts, options }: TokenizeTask) => {
    try {
      const { ids, offsets } = encodeAll(tokenizer, texts, options);
      const answer: TokenizeAnswer = { task, ids, offsets };
      port.postMessage(answer, [ids.buffer, offsets.buffer]);
    } catch (failed) {
      port.postMessage({ task, ids: new Uint32Array(0), offsets: new Uint32Array(1), failed });
    }
  });
}
