/**
 * Which type each matrix of a file is stored in. The names and the choices are those of llama.cpp's
 * llama-quantize (https://github.com/ggml-org/llama.cpp/tree/master/tools/quantize), so that a file of a
 * name is what people expect: matrices that rounding harms most take more bits, values and down projections
 * in some of the layers alone.
 */
import { type GgmlType, ggmlTypes } from "../../formats/gguf/ggml.ts";
import type { LinearRole } from "../../models/linears.ts";
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";

/** A matrix that a type is chosen for. */
export interface MixMatrix {
  /** A table that gives the logits too is a head. */
  readonly role: LinearRole;
  /** Of its stack, and how many there are. */
  readonly layer: number;
  readonly layers: number;
  /** Numbers of a row. */
  readonly row: number;
  /** Whether it is known what its inputs count. */
  readonly weighed: boolean;
}

/** A kind of file. */
export interface GgufMix {
  /** llama.cpp's number of it (general.file_type). */
  readonly fileType: number;
  /** What matrices are stored in that nothing else is said of. */
  readonly base: GgmlType;
  /** Types of some roles: of all layers, or layer by layer. */
  readonly roles?: Readonly<Partial<Record<LinearRole, (matrix: MixMatrix) => GgmlType | undefined>>>;
}

type Choice = (matrix: MixMatrix) => GgmlType | undefined;

const always =
  (type: GgmlType): Choice =>
  () =>
    type;

/** The first layers of a stack: a share of them, or a number. */
const first =
  (type: GgmlType, of: (layers: number) => number, otherwise?: GgmlType): Choice =>
  ({ layer, layers }) =>
    layer < Math.floor(of(layers)) ? type : otherwise;

/** The first and last eighth of the layers, and every third between them. */
const some =
  (type: GgmlType): Choice =>
  ({ layer, layers }) => {
    const eighth = Math.floor(layers / 8);
    const more = layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
    return more ? type : undefined;
  };

/** Where inputs are weighed the first down projections get an offset. */
const offsetFirst =
  (type: GgmlType): Choice =>
  (matrix) =>
    matrix.weighed ? first(type, (n) => n / 8)(matrix) : undefined;

/** What gives values is treated alike, alone or beside queries and keys. */
const values = (choice: Choice) => ({ v: choice, qkv: choice });

/** All kinds of files, by llama.cpp's names in lower case. */
export const ggufMixes = {
  f32: { fileType: 0, base: "f32" },
  f16: { fileType: 1, base: "f16" },
  q8_0: { fileType: 7, base: "q8_0" },
  q6_k: { fileType: 18, base: "q6_k" },
  q5_k_m: { fileType: 17, base: "q5_k", roles: { ...values(some("q6_k")), down: some("q6_k") } },
  q5_k_s: { fileType: 16, base: "q5_k" },
  q5_1: { fileType: 9, base: "q5_1" },
  q5_0: { fileType: 8, base: "q5_0", roles: { down: offsetFirst("q5_1") } },
  q4_k_m: { fileType: 15, base: "q4_k", roles: { ...values(some("q6_k")), down: some("q6_k") } },
  q4_k_s: {
    fileType: 14,
    base: "q4_k",
    roles: { ...values(first("q5_k", () => 4)), down: first("q5_k", (n) => n / 8) },
  },
  q4_1: { fileType: 3, base: "q4_1" },
  q4_0: { fileType: 2, base: "q4_0", roles: { down: offsetFirst("q4_1") } },
  q3_k_l: {
    fileType: 13,
    base: "q3_k",
    roles: { ...values(always("q5_k")), down: always("q5_k"), o: always("q5_k") },
  },
  q3_k_m: {
    fileType: 12,
    base: "q3_k",
    roles: {
      ...values(first("q5_k", () => 2, "q4_k")),
      down: first("q5_k", (n) => n / 16, "q4_k"),
      o: always("q4_k"),
    },
  },
  q3_k_s: { fileType: 11, base: "q3_k" },
} as const satisfies Readonly<Record<string, GgufMix>>;

/** The name of a kind of file, in lower case. */
export type GgufMixName = keyof typeof ggufMixes;

/** Short names that llama.cpp takes too. */
const short: Readonly<Record<string, GgufMixName>> = { q5_k: "q5_k_m", q4_k: "q4_k_m", q3_k: "q3_k_m" };

/** What rows that are not whole blocks of a type are stored in instead; float16 where that does not fit. */
const instead: Readonly<Partial<Record<GgmlType, GgmlType>>> = {
  q3_k: "q4_0",
  q4_k: "q5_0",
  q5_k: "q5_1",
  q6_k: "q8_0",
};

/** The kind of file that a name stands for, in any case. Throws ConfigError for one that is not known. */
export const ggufMixOf = (given: string): GgufMixName => {
  const name = given.toLowerCase();
  if (Object.hasOwn(ggufMixes, name)) return name as GgufMixName;
  const long = Object.hasOwn(short, name) ? short[name] : undefined;
  if (long !== undefined) return long;
  const known = Object.keys(ggufMixes);
  const near = nearest(name, known);
  throw new ConfigError(`must be one of ${known.join(", ")}, not ${given}`, {
    field: "--gguf",
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
  });
};

const fits = (type: GgmlType, row: number): boolean => row % ggmlTypes[type].block === 0;

/** What gives the logits takes 6 bits at least, and 8 where its rows are no whole blocks. */
const headType = (base: GgmlType, row: number): GgmlType => {
  if (ggmlTypes[base].block === 1) return base;
  return base === "q8_0" || !fits(base, row) ? "q8_0" : "q6_k";
};

/** The type that a file of a kind stores a matrix in. */
export const mixedType = (name: GgufMixName, matrix: MixMatrix): GgmlType => {
  const { base, roles = {} }: GgufMix = ggufMixes[name];
  const wanted = matrix.role === "head" ? headType(base, matrix.row) : (roles[matrix.role]?.(matrix) ?? base);
  if (fits(wanted, matrix.row)) return wanted;
  const other = instead[wanted] ?? wanted;
  return fits(other, matrix.row) ? other : "f16";
};

/** Whether a kind of file asks what the inputs of its matrices count. */
export const weighsInputs = (name: GgufMixName): boolean =>
  ggufMixes[name].base !== "q8_0" && ggmlTypes[ggufMixes[name].base].block > 1;

/** The kind of file of llama.cpp's number (general.file_type); undefined for one that is not written here. */
export const ggufMixNumbered = (fileType: number): GgufMixName | undefined =>
  (Object.keys(ggufMixes) as GgufMixName[]).find((name) => ggufMixes[name].fileType === fileType);
