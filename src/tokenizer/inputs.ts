/** Encoding with the template of a post-processor, from a tokenizer's plain encoding. */
import { ConfigError } from "../util/errors.ts";
import type { InputTemplate, TemplatePart } from "./steps/postProcessor.ts";
import {
  type EncodeOptions,
  type IdBuffer,
  type InputOptions,
  idBuffer,
  type Tokenizer,
} from "./tokenizer.ts";

/** Appends the ids of a text alone; `special` as in EncodeOptions. */
export type PlainEncoder = (text: string, out: IdBuffer, special: boolean) => void;

const added = (parts: readonly TemplatePart[]): number =>
  parts.reduce((sum, { ids }) => sum + (typeof ids === "string" ? 0 : ids.length), 0);

/**
 * How many ids each text keeps, so that all are at most `room`: the longer one is cut first, and of an odd
 * room it keeps one more. Of two of one length the second is the longer, as in the Rust library.
 */
const lengthsWithin = (a: number, b: number, room: number): [number, number] => {
  if (a + b <= room) return [a, b];
  const half = Math.floor(room / 2);
  if (a <= half) return [a, room - a];
  if (b <= half) return [room - b, b];
  return a > b ? [room - half, half] : [half, room - half];
};

/** `encode`, `encodeInto` and `encodeInputs` of a tokenizer. */
export const encoding = (
  plain: PlainEncoder,
  template: InputTemplate,
): Pick<Tokenizer, "encode" | "encodeInto" | "encodeInputs"> => {
  const idsOf = (text: string, special: boolean): Uint32Array => {
    const out = idBuffer(text.length >> 1);
    plain(text, out, special);
    return out.take();
  };
  const encodeInputs: Tokenizer["encodeInputs"] = (text, options: InputOptions = {}) => {
    const { pair, special = false, maxLength = Number.POSITIVE_INFINITY } = options;
    const parts = pair === undefined ? template.single : template.pair;
    if (parts.length === 0) throw new ConfigError("the tokenizer has no template for two texts");
    const room = maxLength - added(parts);
    if (!(room >= 0)) {
      throw new ConfigError(`${maxLength} ids do not hold the ${added(parts)} special tokens around a text`, {
        field: "maxLength",
      });
    }
    const [a, b] = [idsOf(text, special), idsOf(pair ?? "", special)];
    const [keepA, keepB] = lengthsWithin(a.length, b.length, room);
    const [ids, typeIds] = [idBuffer(a.length + b.length + 8), idBuffer(a.length + b.length + 8)];
    for (const part of parts) {
      const run =
        part.ids === "A" ? a.subarray(0, keepA) : part.ids === "B" ? b.subarray(0, keepB) : part.ids;
      for (const id of run) {
        ids.push(id);
        typeIds.push(part.type);
      }
    }
    return { ids: ids.take(), typeIds: typeIds.take() };
  };
  const encode = (text: string, { special = false, template: around = false }: EncodeOptions = {}) =>
    around ? encodeInputs(text, { special }).ids : idsOf(text, special);
  return {
    encode,
    encodeInto: (text, out, options = {}) => {
      if (options.template !== true) return plain(text, out, options.special ?? false);
      for (const id of encode(text, options)) out.push(id);
    },
    encodeInputs,
  };
};
