/**
 * The files beside an ONNX model that its tensors lie in, found without reading a weight: what a runtime
 * would open is checked before it is given the model. Field numbers are onnx.proto's
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3).
 */
import { FormatError } from "../../util/errors.ts";
import { locationFault } from "./onnx.ts";

/** A file's bytes by their place. */
export interface ByteSource {
  readonly size: number;
  /** The bytes `start` to `end`, or up to the file's end; valid until the next call. */
  bytes(start: number, end: number): Uint8Array;
}

/** Longest location that is read, bytes: longer than any path that can be opened. */
const LONGEST = 4096;

type Kind = "model" | "graph" | "node" | "attr" | "function" | "training" | "tensor" | "sparse";

/** The messages in which a tensor can be, by the number of the field that holds them. */
const within: Readonly<Record<Kind, Readonly<Record<number, Kind | "pair">>>> = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attr" },
  attr: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  function: { 7: "node", 11: "attr" },
  training: { 1: "graph", 2: "graph" },
  sparse: { 1: "tensor", 2: "tensor" },
  tensor: { 13: "pair" },
};

interface Span {
  readonly number: number;
  readonly start: number;
  readonly end: number;
}

type Fail = (offset: number, message: string) => never;

const varint = (source: ByteSource, at: number, end: number, fail: Fail): [value: number, next: number] => {
  const bytes = source.bytes(at, Math.min(at + 10, end));
  let value = 0;
  for (const [i, byte] of bytes.entries()) {
    value += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return [value, at + i + 1];
  }
  return fail(at, "is truncated within a varint");
};

/** Fields of a message that hold bytes; the others are passed over. */
function* spans(source: ByteSource, start: number, end: number, fail: Fail): Generator<Span> {
  for (let at = start; at < end; ) {
    const [tag, next] = varint(source, at, end, fail);
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    let after: number;
    if (wire === 0) after = varint(source, next, end, fail)[1];
    else if (wire === 1 || wire === 5) after = next + (wire === 1 ? 8 : 4);
    else if (wire === 2) {
      const [length, from] = varint(source, next, end, fail);
      after = from + length;
      if (after <= end) yield { number, start: from, end: after };
    } else return fail(at, `holds the wire type ${wire}`);
    if (after > end) fail(at, "is truncated within a field");
    at = after;
  }
}

const textIn = (source: ByteSource, { start, end }: Span, fail: Fail): string => {
  if (end - start > LONGEST) return fail(start, "names an external file by more bytes than a path can have");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(source.bytes(start, end));
  } catch {
    return fail(start, "names an external file by what is not UTF-8");
  }
};

/** The location that an entry of external_data tells, where it tells one. */
const locationIn = (source: ByteSource, { start, end }: Span, fail: Fail): string[] => {
  const fields = [...spans(source, start, end, fail)];
  const isLocation = fields.some((f) => f.number === 1 && textIn(source, f, fail) === "location");
  return isLocation ? fields.filter((f) => f.number === 2).map((f) => textIn(source, f, fail)) : [];
};

/** Messages within messages that are followed: a runtime's protobuf takes no more. */
const DEEPEST = 100;

/** The entries of external_data of all tensors, in the order of the file. */
function* entriesIn(source: ByteSource, fail: Fail): Generator<Span> {
  const walk = (kind: Kind, { start, end }: Omit<Span, "number">) => ({
    kind,
    inner: spans(source, start, end, fail),
  });
  const open = [walk("model", { start: 0, end: source.size })];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { value: span, done } = top.inner.next();
    if (done === true) {
      open.pop();
      continue;
    }
    const kind = within[top.kind][span.number];
    if (kind === "pair") yield span;
    else if (kind !== undefined) {
      if (open.length === DEEPEST) fail(span.start, `holds messages more than ${DEEPEST} deep`);
      open.push(walk(kind, span));
    }
  }
}

/**
 * The locations of all external tensors, each once; those of nested graphs and functions too. Throws
 * FormatError for a location that leaves the model's folder, and for what is no protobuf message.
 */
export const externalFiles = (source: ByteSource, file?: string): string[] => {
  const fail: Fail = (offset, message) => {
    throw new FormatError(message, file === undefined ? { offset } : { file, offset });
  };
  const found = new Set<string>();
  for (const span of entriesIn(source, fail)) {
    for (const location of locationIn(source, span, fail)) {
      const fault = locationFault(location);
      if (fault !== undefined) {
        fail(span.start, `has a tensor in the external file ${JSON.stringify(location)}, which ${fault}`);
      }
      found.add(location);
    }
  }
  return [...found];
};
