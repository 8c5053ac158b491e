/** Changes of a protobuf message as a tree of fields, whose lengths stay right. */
import type { Rng } from "../../src/util/rng.ts";
import { integers, type Mutate, mutateBytes, orBytes, pick } from "./bytes.ts";

interface Field {
  number: number;
  wire: number;
  /** A varint's bits. */
  bits: bigint;
  bytes: Uint8Array;
  /** The fields of what is, or looks like, a message. */
  inner: Field[] | undefined;
}

const varint = (bytes: Uint8Array, at: number): [bigint, number] | undefined => {
  let bits = 0n;
  for (let i = 0; i < 10 && at + i < bytes.length; i++) {
    bits |= BigInt(bytes[at + i]! & 127) << BigInt(7 * i);
    if (bytes[at + i]! < 128) return [bits, at + i + 1];
  }
  return undefined;
};

const fieldsOf = (bytes: Uint8Array, depth = 0): Field[] | undefined => {
  const fields: Field[] = [];
  for (let at = 0; at < bytes.length; ) {
    const key = varint(bytes, at);
    if (key === undefined) return undefined;
    const [number, wire] = [Number(key[0] >> 3n), Number(key[0] & 7n)];
    if (number < 1 || number > 200 || ![0, 1, 2, 5].includes(wire)) return undefined;
    const head = wire === 0 || wire === 2 ? varint(bytes, key[1]) : ([0n, key[1]] as [bigint, number]);
    if (head === undefined) return undefined;
    const length = wire === 2 ? Number(head[0]) : wire === 0 ? 0 : wire === 1 ? 8 : 4;
    if (head[1] + length > bytes.length) return undefined;
    const content = bytes.subarray(head[1], head[1] + length);
    const inner = wire === 2 && depth < 8 && length > 1 ? fieldsOf(content, depth + 1) : undefined;
    fields.push({ number, wire, bits: head[0], bytes: content, inner });
    at = head[1] + length;
  }
  return fields;
};

const pushVarint = (out: number[], value: bigint): void => {
  let v = BigInt.asUintN(64, value);
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  out.push(Number(v));
};

const encoded = (fields: readonly Field[]): Uint8Array => {
  const parts = fields.map(({ number, wire, bits, bytes, inner }) => {
    const head: number[] = [];
    pushVarint(head, BigInt(number * 8 + wire));
    const content = inner === undefined ? bytes : encoded(inner);
    if (wire === 0) pushVarint(head, bits);
    if (wire === 2) pushVarint(head, BigInt(content.length));
    return wire === 0 ? Uint8Array.from(head) : Buffer.concat([Uint8Array.from(head), content]);
  });
  return new Uint8Array(Buffer.concat(parts));
};

interface Place {
  readonly list: Field[];
  readonly index: number;
}

const placesIn = (list: Field[], found: Place[] = []): Place[] => {
  list.forEach((field, index) => {
    found.push({ list, index });
    if (field.inner !== undefined) placesIn(field.inner, found);
  });
  return found;
};

const copy = (field: Field): Field => ({ ...field, inner: field.inner?.map(copy) });

type Change = (place: Place, random: Rng, places: readonly Place[]) => void;

const changes: readonly Change[] = [
  ({ list, index }) => void list.splice(index, 1),
  ({ list, index }) => void list.splice(index, 0, copy(list[index]!)),
  ({ list, index }, random, places) => {
    const other = pick(random, places);
    list.splice(index, 0, copy(other.list[other.index]!));
  },
  ({ list, index }, random) => {
    list[index]!.number = 1 + random.int(40);
  },
  ({ list, index }, random) => {
    const field = list[index]!;
    field.wire = 0;
    field.bits = pick(random, integers);
  },
  ({ list, index }, random) => {
    const field = list[index]!;
    Object.assign(field, { wire: pick(random, [1, 5]), inner: undefined });
    field.bytes = Uint8Array.from({ length: field.wire === 1 ? 8 : 4 }, () =>
      pick(random, [0, 127, 128, 255]),
    );
  },
  ({ list, index }, random, places) => {
    const field = list[index]!;
    const content = field.inner === undefined ? field.bytes : encoded(field.inner);
    const all = places.map(({ list: l, index: i }) => l[i]!.bytes);
    Object.assign(field, { wire: 2, inner: undefined, bytes: mutateBytes(content, random, all) });
  },
  // A message within itself.
  ({ list, index }, random) => {
    let field = copy(list[index]!);
    for (let depth = pick(random, [1, 3, 50]); depth > 0; depth--)
      field = { ...field, wire: 2, inner: [field] };
    list[index] = field;
  },
];

const change: Mutate = (bytes, random, others) => {
  const fields = fieldsOf(bytes);
  if (fields === undefined || fields.length === 0) return mutateBytes(bytes, random, others);
  const places = placesIn(fields);
  pick(random, changes)(pick(random, places), random, places);
  return encoded(fields);
};

/** One change of a message. */
export const mutateWire: Mutate = orBytes(change);
