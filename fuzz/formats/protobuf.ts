import {
  bytesField,
  concat,
  type Field,
  fieldsOf,
  floatField,
  floatsOf,
  intField,
  intOf,
  messageField,
  spanOf,
  textField,
  textOf,
  toBytes,
  varintsOf,
} from "../../src/formats/onnx/protobuf.ts";
import { FormatError } from "../../src/util/errors.ts";
import type { Format } from "../format.ts";
import { mutateWire } from "../mutate/wire.ts";

const inner = [intField(1, 7), textField(2, "größe"), floatField(3, 0.5)];
const seed = toBytes(
  concat([
    ...[intField(1, -1), intField(2, 2 ** 53 - 1), floatField(3, 1), textField(4, "a text")],
    ...[bytesField(5, Uint8Array.of(1, 128, 1, 255, 1)), messageField(6, inner)],
    messageField(7, [messageField(7, [messageField(7, inner)])]),
  ]),
);

type Read = (field: Field) => unknown;

/** Every field by every reader: each is free to refuse it. */
const read = (field: Field, depth: number): void => {
  const readers: readonly Read[] = [
    ...[textOf, intOf, varintsOf, (f: Field) => floatsOf(f, 4), (f: Field) => floatsOf(f, 8)],
    (f) => {
      if (depth < 20) for (const one of fieldsOf(spanOf(f))) read(one, depth + 1);
    },
  ];
  for (const reader of readers) {
    try {
      reader(field);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
};

export const protobuf: Format = {
  seeds: [seed],
  mutate: mutateWire,
  read: (bytes) => {
    for (const field of fieldsOf({ bytes, start: 0, end: bytes.length })) read(field, 0);
  },
};
