/** What ranks tell each other besides what is trained: figures that all go by, and what must be equal. */
import type { Json } from "../models/model.ts";
import { differences } from "../train/checkpoint.ts";
import type { Collective, Parcel } from "../train/ranks/collective.ts";
import { ConfigError } from "../util/errors.ts";

/** Gives the same to all, and takes as much from each. */
export const toAll = (collective: Collective, data: Float32Array): Promise<readonly Parcel[]> => {
  const each = Array.from({ length: collective.size });
  return collective.exchange(
    each.map(() => [data]),
    each.map(() => [new Float32Array(data.length)]),
  );
};

/** The numbers that one rank gives, the first unless told: all go by them, whatever their own last bits. */
export const shared = async (
  collective: Collective,
  values: readonly number[],
  by = 0,
): Promise<number[]> => {
  const all = await toAll(collective, new Float32Array(Float64Array.from(values).buffer));
  return [...new Float64Array(all[by]![0]!.slice().buffer)];
};

/** UTF-8 as the bits of float32, filled up with spaces. */
const bitsOf = (text: string, floats: number): Float32Array => {
  const bytes = new Uint8Array(floats * 4).fill(0x20);
  bytes.set(new TextEncoder().encode(text));
  return new Float32Array(bytes.buffer);
};

const textOf = (bits: Float32Array): string =>
  new TextDecoder().decode(new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength)).trimEnd();

/** What each rank tells, by rank, as JSON keeps it. */
export const tellAll = async <T>(collective: Collective, told: T): Promise<T[]> => {
  const own = JSON.stringify(told);
  const length = Math.ceil(new TextEncoder().encode(own).length / 4);
  const size = new Float32Array(Uint32Array.of(length).buffer);
  const sizes = await toAll(collective, size);
  const longest = Math.max(...sizes.map(([bits]) => new Uint32Array(bits!.slice().buffer)[0]!));
  const all = await toAll(collective, bitsOf(own, longest));
  return all.map(([bits]) => JSON.parse(textOf(bits!)) as T);
};

/** Differences that are told. */
const TOLD = 5;

/**
 * Checks that all ranks run the same. Throws ConfigError on all of them where `own` is not equal on each,
 * with what differs from rank 0 on the first that does.
 */
export const requireAgreement = async (collective: Collective, own: object): Promise<void> => {
  const all = await tellAll(collective, own as Json);
  for (const [rank, other] of all.entries()) {
    const found = differences(all[0]!, other);
    const [first] = found;
    if (first === undefined) continue;
    const told = found.slice(1, TOLD).map(([path, was, is]) => `; "${path}" is ${was} and ${is}`);
    const more = found.length > TOLD ? `; and ${found.length - TOLD} more` : "";
    const [field, was, is] = first;
    throw new ConfigError(`is ${was} on rank 0 and ${is} on rank ${rank}${told.join("")}${more}`, {
      field,
      hint: "run one version of anneal with the same options and data on all ranks",
    });
  }
};
