/**
 * What a reference computed, to be compared with wherever a shipped graph runs: in another process or in a
 * page. It travels as one safetensors file, so that every place reads the same bytes.
 */
import { decodeSafetensors, encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** One run of a graph: what is fed, and what the reference's outputs were. */
export interface ReferenceRun {
  /** The graph's name in `graphsOf`. */
  readonly graph: string;
  readonly feeds: NamedTensors;
  readonly outputs: NamedTensors;
}

/** A greedy continuation by the reference. */
export interface Continuation {
  /** The encoder's tokens, of a sequence-to-sequence model. */
  readonly source?: readonly number[];
  readonly prompt: readonly number[];
  /** The tokens that follow the prompt. */
  readonly tokens: readonly number[];
  /** Logits of the prompt's positions and of each token's but the last, [prompt + tokens - 1, V]. */
  readonly logits: Tensor;
}

/** A text and its tokens. */
export interface Tokenized {
  readonly text: string;
  readonly ids: readonly number[];
}

/** What a reference computed. */
export interface Reference {
  readonly runs: readonly ReferenceRun[];
  readonly continuations: readonly Continuation[];
  /** Texts by the model's tokenizer, for places that bring one of their own. */
  readonly texts?: readonly Tokenized[];
}

interface Layout extends Pick<Reference, "texts"> {
  readonly runs: readonly string[];
  readonly continuations: readonly Omit<Continuation, "logits">[];
}

/** The reference as the bytes of one file. */
export const encodeReference = ({ runs, continuations, texts }: Reference): Uint8Array => {
  const tensors = new Map<string, Tensor>();
  runs.forEach(({ feeds, outputs }, i) => {
    for (const [name, t] of Object.entries(feeds)) tensors.set(`run/${i}/feed/${name}`, t);
    for (const [name, t] of Object.entries(outputs)) tensors.set(`run/${i}/output/${name}`, t);
  });
  continuations.forEach(({ logits }, i) => {
    tensors.set(`continuation/${i}`, logits);
  });
  const layout: Layout = {
    runs: runs.map(({ graph }) => graph),
    continuations: continuations.map(({ logits: _, ...rest }) => rest),
    ...(texts === undefined ? {} : { texts }),
  };
  const chunks = encodeSafetensors(tensors, { layout: JSON.stringify(layout) });
  const bytes = new Uint8Array(chunks.reduce((n, chunk) => n + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
};

/** The reference in a file's bytes. Throws FormatError where it is none. */
export const decodeReference = (bytes: Uint8Array): Reference => {
  const { tensors, metadata } = decodeSafetensors(bytes, "reference");
  if (!metadata.has("layout")) throw new FormatError("has no layout", { file: "reference" });
  const layout = JSON.parse(metadata.get("layout")!) as Layout;
  const below = (prefix: string): NamedTensors =>
    Object.fromEntries(
      Array.from(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, t]) => [name.slice(prefix.length), t]),
    );
  return {
    runs: layout.runs.map((graph, i) => ({
      graph,
      feeds: below(`run/${i}/feed/`),
      outputs: below(`run/${i}/output/`),
    })),
    continuations: layout.continuations.map((rest, i) => ({
      ...rest,
      logits: tensors.get(`continuation/${i}`)!,
    })),
    ...(layout.texts === undefined ? {} : { texts: layout.texts }),
  };
};
