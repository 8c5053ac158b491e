/**
 * Whether a runtime's products of few bits are right here, and quick: MatMulNBits has a kernel of its own for
 * some bits, blocks and accuracy levels, and computes others slowly, or wrongly, as the processor and the
 * version have it (https://github.com/microsoft/onnxruntime/issues/28552). Each form is tried on a product.
 */
import type { Engine, Session } from "../engine/engine.ts";
import { encodeOnnx, type OnnxInitializer, type OnnxModel } from "../formats/onnx/onnx.ts";
import type { OnnxAttrs } from "../ir/op.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { rng } from "../util/rng.ts";

/** A form of a product of few bits. */
export interface Kernel {
  readonly bits: 2 | 4 | 8;
  /** Inputs that share a scale. */
  readonly block: 32 | 64 | 128;
  /** Whether each block has a code of its own for 0. */
  readonly zeros: boolean;
  /** The runtime's accuracy level: 1 computes in float32, 4 in int8. */
  readonly accuracy: 1 | 4;
}

/** What became of a form. */
export interface KernelFound extends Kernel {
  /** "sound" is right and no slower than the form of more bits. */
  readonly status: "sound" | "slow" | "wrong" | "refused";
  /** Why it is not sound. */
  readonly why?: string;
  /** Time of a product of one row [1, 1024] x [1024, 4096], milliseconds. */
  readonly ms?: number;
}

/** Every form that is tried; more bits come first, since others are compared with them. */
export const kernels: readonly Kernel[] = ([8, 4, 2] as const).flatMap((bits) =>
  ([32, 64, 128] as const).flatMap((block) =>
    [true, false].flatMap((zeros) =>
      ([1, 4] as const).map((accuracy): Kernel => ({ bits, block, zeros, accuracy })),
    ),
  ),
);

/** "4 bits in blocks of 32 with zeros, int8" */
export const kernelName = ({ bits, block, zeros, accuracy }: Kernel): string =>
  `${bits} bits in blocks of ${block}${zeros ? " with zeros" : ""}, ${accuracy === 4 ? "int8" : "float32"}`;

interface Size {
  readonly rows: number;
  readonly k: number;
  readonly n: number;
}

/** The product whose numbers are looked at, and the one that is timed. */
const SMALL: Size = { rows: 3, k: 256, n: 48 };
const LARGE: Size = { rows: 1, k: 1024, n: 4096 };

const modelOf = (
  { rows, k, n }: Size,
  op: { readonly type: string; readonly domain: string; readonly attrs: OnnxAttrs },
  weights: readonly OnnxInitializer[],
): OnnxModel => ({
  graph: {
    name: "kernel",
    nodes: [
      {
        ...{ opType: op.type, domain: op.domain, name: "product", attrs: op.attrs, outputs: ["y"] },
        inputs: ["x", ...weights.map(({ name }) => name)],
      },
    ],
    inputs: [{ name: "x", dtype: "float32", shape: [rows, k] }],
    outputs: [{ name: "y", dtype: "float32", shape: [rows, n] }],
    initializers: weights,
  },
  opsets: { "": 21, "com.microsoft": 1 },
  metadata: {},
});

/** Codes behind one another in bytes, the first lowest; each row of `width` begins a byte. */
const inBytes = (codes: Uint8Array, width: number, bits: number): Uint8Array => {
  const perByte = 8 / bits;
  const rowBytes = Math.ceil(width / perByte);
  const bytes = new Uint8Array((codes.length / width) * rowBytes);
  for (const [at, code] of codes.entries()) {
    const i = at % width;
    bytes[Math.floor(at / width) * rowBytes + Math.floor(i / perByte)]! |= code << (bits * (i % perByte));
  }
  return bytes;
};

/** A product of few bits, of codes [N, K] and what stands for 0 in each block. */
const productOf = (
  { bits, block, zeros, accuracy }: Kernel,
  size: Size,
  { q, scale, zero }: { readonly q: Uint8Array; readonly scale: Float32Array; readonly zero: Uint8Array },
): OnnxModel => {
  const { k, n } = size;
  const blocks = k / block;
  const weights: OnnxInitializer[] = [
    { name: "q", tensor: tensor("uint8", [n, blocks, (block * bits) / 8], inBytes(q, block, bits)) },
    { name: "scale", tensor: tensor("float32", [n * blocks], scale) },
  ];
  const middle = inBytes(zero, blocks, bits);
  if (zeros) weights.push({ name: "zero", tensor: tensor("uint8", [middle.length], middle) });
  const ints = { K: k, N: n, bits, block_size: block, accuracy_level: accuracy };
  const attrs = Object.fromEntries(Object.entries(ints).map(([name, int]) => [name, { int }]));
  return modelOf(size, { type: "MatMulNBits", domain: "com.microsoft", attrs }, weights);
};

/** Codes, scales and zeros; of a product that is only timed they are all alike. */
const drawn = ({ bits, block, zeros }: Kernel, { k, n }: Size, alike: boolean) => {
  const random = rng(1, `kernel ${bits} ${block}`);
  const [count, middle] = [(n * k) / block, 2 ** (bits - 1)];
  const code = (): number => (alike ? middle : random.int(2 ** bits));
  return {
    q: alike ? new Uint8Array(n * k).fill(middle) : Uint8Array.from({ length: n * k }, code),
    scale: Float32Array.from({ length: count }, () => (alike ? 0.01 : 0.01 * (1 + random.uniform()))),
    zero: Uint8Array.from({ length: count }, () => (zeros ? code() : middle)),
  };
};

const inputOf = ({ rows, k }: Size): Tensor => {
  const random = rng(2, "kernel input");
  return tensor(
    "float32",
    [rows, k],
    Float32Array.from({ length: rows * k }, () => random.normal()),
  );
};

const open = (engine: Engine, model: OnnxModel): Promise<Session> => engine.load(encodeOnnx(model).model);

/** The largest error of a product's numbers, as a share of their root mean square. */
const errorOf = async (
  session: Session,
  kernel: Kernel,
  codes: ReturnType<typeof drawn>,
): Promise<number> => {
  const { rows, k, n } = SMALL;
  const x = inputOf(SMALL);
  const { y } = await session.run({ x });
  let [worst, squares] = [0, 0];
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < n; j++) {
      let want = 0;
      for (let i = 0; i < k; i++) {
        const b = (j * k + i - (i % kernel.block)) / kernel.block;
        const weight = (codes.q[j * k + i]! - codes.zero[b]!) * codes.scale[b]!;
        want += (x.data[r * k + i] as number) * weight;
      }
      squares += want * want;
      const error = Math.abs((y!.data[r * n + j] as number) - want);
      worst = Number.isFinite(error) ? Math.max(worst, error) : Number.POSITIVE_INFINITY;
    }
  }
  return worst / Math.sqrt(squares / (rows * n));
};

/** The least time of a product of one row, milliseconds: what others do on the machine only adds to it. */
const timeOf = async (session: Session): Promise<number> => {
  const x = inputOf(LARGE);
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 15; run++) {
    const start = performance.now();
    await session.run({ x });
    least = Math.min(least, performance.now() - start);
  }
  return least;
};

const on = async <T>(
  engine: Engine,
  model: OnnxModel,
  work: (session: Session) => Promise<T>,
): Promise<T> => {
  const session = await open(engine, model);
  try {
    return await work(session);
  } finally {
    await session.dispose();
  }
};

/** How far numbers may be off: rounding of float32, or inputs of 8 bits. */
const tolerated = ({ accuracy }: Kernel): number => (accuracy === 4 ? 0.08 : 1e-3);

/** A form that takes longer than the one of more bits by more than this has nothing to offer. */
const SLOWER = 1.15;

const findOne = async (engine: Engine, kernel: Kernel, wider: number): Promise<KernelFound> => {
  try {
    const codes = drawn(kernel, SMALL, false);
    const small = productOf(kernel, SMALL, codes);
    const error = await on(engine, small, (session) => errorOf(session, kernel, codes));
    if (error > tolerated(kernel)) {
      const why = `its numbers are off by ${(100 * error).toFixed(0)} % of their size`;
      return { ...kernel, status: "wrong", why };
    }
    const ms = await on(engine, productOf(kernel, LARGE, drawn(kernel, LARGE, true)), timeOf);
    if (ms <= SLOWER * wider) return { ...kernel, status: "sound", ms };
    const why = `takes ${ms.toFixed(2)} ms where more bits take ${wider.toFixed(2)}`;
    return { ...kernel, status: "slow", why, ms };
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    return { ...kernel, status: "refused", why };
  }
};

/**
 * Tries forms: a product of each for its numbers and for its speed. A form is compared with that of more
 * bits, of the same blocks, which is sound; the first with float32.
 */
export const checkKernels = async (
  engine: Engine,
  forms: readonly Kernel[] = kernels,
): Promise<KernelFound[]> => {
  const weights = [
    { name: "w", tensor: tensor("float32", [LARGE.k, LARGE.n], new Float32Array(LARGE.k * LARGE.n)) },
  ];
  const plain = modelOf(LARGE, { type: "MatMul", domain: "", attrs: {} }, weights);
  const float = await on(engine, plain, timeOf);
  const found: KernelFound[] = [];
  for (const kernel of forms) {
    const alike = ({ block, zeros, accuracy, status, ms }: KernelFound): boolean =>
      status === "sound" &&
      ms !== undefined &&
      block === kernel.block &&
      zeros === kernel.zeros &&
      accuracy === kernel.accuracy;
    const wider = found.filter(alike).at(-1)?.ms ?? float;
    found.push(await findOne(engine, kernel, wider));
  }
  return found;
};
