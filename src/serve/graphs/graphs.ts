/** The graphs of a shipped model by the file names that transformers.js looks for. */
import type { Program } from "../../ir/program.ts";
import type { Architecture, Model } from "../../models/model.ts";
import { decoderProgram } from "./decoder.ts";
import { encoderProgram } from "./encoder.ts";
import { mergedDecoderProgram, sourceEncoderProgram } from "./seq2seq.ts";

/** Names of a model's graphs: "model", or "encoder_model" and "decoder_model_merged" for seq2seq. */
export type GraphName = "model" | "encoder_model" | "decoder_model_merged";
/** A model's programs by the file names that transformers.js looks for. */
export type Graphs = Readonly<Partial<Record<GraphName, Program>>>;

/** The path of each graph of a model by its name. */
export type GraphPaths = Readonly<Record<string, string>>;

/** The graphs that each kind of model has. */
export const graphNames: Readonly<Record<Architecture["kind"], readonly GraphName[]>> = {
  decoder: ["model"],
  encoder: ["model"],
  seq2seq: ["encoder_model", "decoder_model_merged"],
};

const makers: Readonly<Partial<Record<Architecture["kind"], (model: Model) => Graphs>>> = {
  decoder: (model) => ({ model: decoderProgram(model) }),
  encoder: (model) => ({ model: encoderProgram(model) }),
  seq2seq: (model) => ({
    encoder_model: sourceEncoderProgram(model),
    decoder_model_merged: mergedDecoderProgram(model),
  }),
};

/** All graphs that serve a model: inputs and outputs are named as transformers.js expects. */
export const graphsOf = (model: Model): Graphs => makers[model.arch.kind]!(model);
