/** Decoding graphs, sampling, generation. */

export {
  type ChatMessage,
  type ChatPart,
  type ChatRole,
  type ChatTemplate,
  chatMessages,
  chatTemplates,
  chooseTemplate,
} from "../template/chat.ts";
export { type BeamOptions, type BeamText, beamSearch, type Rows } from "./decode/beam.ts";
export {
  type DecodeOptions,
  decodeRows,
  type RowStart,
  type RowToken,
  type Step,
} from "./decode/decodeRows.ts";
export { type Cache, type Decoder, decoder, decoderOf } from "./decode/decoding.ts";
export { type GenerateOptions, generate, generateBatch, generateBeams } from "./decode/generate.ts";
export { type SampleOptions, sample } from "./decode/sample.ts";
export {
  decodeTargets,
  type EncodedRows,
  greedySearch,
  type Seq2SeqDecoder,
  type Seq2SeqSessions,
  seq2seqDecoder,
  seq2seqDecoderOf,
  type TargetOptions,
} from "./decode/seq2seqDecoder.ts";
export { type StopFilter, stopFilter } from "./decode/stop.ts";
export { decoderProgram } from "./graphs/decoder.ts";
export {
  type Encoded,
  type EncodedText,
  type Encoder,
  encoderOf,
  encoderProgram,
  features,
} from "./graphs/encoder.ts";
export { type GraphName, type Graphs, graphNames, graphsOf } from "./graphs/graphs.ts";
export { mergedDecoderProgram, sourceEncoderProgram } from "./graphs/seq2seq.ts";
