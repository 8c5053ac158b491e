/** Decoding graphs, sampling, generation. */
export { type BeamOptions, type BeamText, beamSearch, type Rows } from "./beam.ts";
export {
  type ChatMessage,
  type ChatPart,
  type ChatRole,
  type ChatTemplate,
  chatMessages,
  chatTemplates,
  chooseTemplate,
} from "./chat.ts";
export { type DecodeOptions, decodeRows, type Step } from "./decodeRows.ts";
export { decoderProgram } from "./decoder.ts";
export { type Cache, type Decoder, decoder, decoderOf } from "./decoding.ts";
export {
  type Encoded,
  type EncodedText,
  type Encoder,
  encoderOf,
  encoderProgram,
  features,
} from "./encoder.ts";
export { type GenerateOptions, generate, generateBatch, generateBeams } from "./generate.ts";
export { type GraphName, type Graphs, graphNames, graphsOf } from "./graphs.ts";
export { type SampleOptions, sample } from "./sample.ts";
export { mergedDecoderProgram, sourceEncoderProgram } from "./seq2seq.ts";
export {
  decodeTargets,
  type EncodedRows,
  greedySearch,
  type Seq2SeqDecoder,
  type Seq2SeqSessions,
  seq2seqDecoder,
  seq2seqDecoderOf,
  type TargetOptions,
} from "./seq2seqDecoder.ts";
export { type StopFilter, stopFilter } from "./stop.ts";
