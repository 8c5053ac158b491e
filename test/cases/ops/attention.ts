/** Rows of attention and rotary positions. */
import { constant, type Value } from "../../../src/ir/op.ts";
import { tensorOf } from "../../../src/ir/tensor.ts";
import * as ops from "../../../src/ops/index.ts";
import { at, attendHead, draw, type Flat, make, pick } from "../../reference.ts";
import { type Arg, type Case, casesOf, f32, given, int32, int64 } from "./case.ts";

const HALF = 0.5;

/** probs and out of attention over [B, H, T, D]; the mask broadcasts. */
const attended =
  ([b, h, t, d]: [number, number, number, number], s: number, scale: number, maskShape?: number[]) =>
  (q: Flat, k: Flat, v: Flat, mask?: Flat): number[][] => {
    const [out, probs]: [number[], number[]] = [[], []];
    for (let i = 0; i < b * h; i++) {
      const head = (x: Flat, n: number) => x.slice(i * n * d, (i + 1) * n * d);
      const [bi, hi] = [Math.floor(i / h), i % h];
      const of = attendHead(head(q, t), head(k, s), head(v, s), {
        t,
        s,
        d,
        scale,
        mask: (ti, si) => (mask === undefined ? 0 : pick(mask, maskShape!, [bi, hi, ti, si])),
      });
      out.push(...of.out);
      probs.push(...of.probs);
    }
    return [out, probs];
  };

const attendCase = (name: string, maskShape?: number[], mask?: Arg, scale?: number): Case => ({
  name,
  inputs: [f32([2, 2, 3, 2]), f32([2, 2, 4, 2]), f32([2, 2, 4, 2]), ...(mask === undefined ? [] : [mask])],
  build: (q, k, v, m) => ops.attend(q!, k!, v!, m, scale),
  reference: attended([2, 2, 3, 2], 4, scale ?? Math.SQRT1_2, maskShape),
});

interface CachedShape {
  readonly b: number;
  readonly t: number;
  readonly past: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly d: number;
}

/** cachedAttend by attention over the joined cache: causal behind the past, plus the bias [B, 1, T, S]. */
const cached =
  ({ b, t, past, heads, kvHeads, d }: CachedShape) =>
  (qkv: Flat, pastKey: Flat, pastValue: Flat, _seqlens: Flat, _total: Flat, bias?: Flat): number[][] => {
    const s = past + t;
    const width = (heads + 2 * kvHeads) * d;
    const fresh = (bi: number, ti: number, slot: number, x: number) =>
      qkv[(bi * t + ti) * width + slot * d + x]!;
    const grown = (old: Flat, first: number): number[] =>
      make([b, kvHeads, s, d], ([bi, h, si, x]) =>
        si! < past
          ? old[at([bi!, h!, si!, x!], [b, kvHeads, past, d])]!
          : fresh(bi!, si! - past, first + h!, x!),
      );
    const [key, value] = [grown(pastKey, heads), grown(pastValue, heads + kvHeads)];
    const out = new Array<number>(b * t * heads * d);
    for (let bi = 0; bi < b; bi++) {
      for (let h = 0; h < heads; h++) {
        const kv = bi * kvHeads + Math.floor((h * kvHeads) / heads);
        const of = (x: Flat) => x.slice(kv * s * d, (kv + 1) * s * d);
        const q = make([t, d], ([ti, x]) => fresh(bi, ti!, h, x!));
        const mask = (ti: number, si: number): number =>
          (si > past + ti ? -Infinity : 0) + (bias === undefined ? 0 : bias[(bi * t + ti) * s + si]!);
        const head = attendHead(q, of(key), of(value), { t, s, d, scale: 1 / Math.sqrt(d), mask }).out;
        head.forEach((v, i) => {
          out[(bi * t + Math.floor(i / d)) * heads * d + h * d + (i % d)] = v;
        });
      }
    }
    return [out, key, value];
  };

/**
 * Padding on the left: the first `padded[b]` of `s` keys are hidden from row b. By -30, which is enough
 * (e^-30 = 1e-13) and keeps the scores of a query that sees padding alone exact in float32.
 */
const leftPadding = (t: number, s: number, padded: readonly number[]): Arg =>
  given(
    "float32",
    [padded.length, 1, t, s],
    make([padded.length, 1, t, s], ([b, , , si]) => (si! < padded[b!]! ? -30 : 0)),
  );

/** A step of a cache of int8: inputs go from -1 to 1. */
const STEP = 1 / 127;

const cachedCase = (name: string, shape: CachedShape, padded?: readonly number[]): Case => {
  const { b, t, past, heads, kvHeads, d } = shape;
  const total = past + t;
  const cache = [b, kvHeads, past, d];
  return {
    name,
    inputs: [
      f32([b, t, (heads + 2 * kvHeads) * d]),
      f32(cache),
      f32(cache),
      int32([b], ...Array.from({ length: b }, () => total - 1)),
      int32([1], total),
      ...(padded === undefined ? [] : [leftPadding(t, total, padded)]),
    ],
    build: (qkv, pastKey, pastValue, seqlensK, totalLength, bias) => {
      const inputs = {
        pastKey: pastKey!,
        pastValue: pastValue!,
        seqlensK: seqlensK!,
        totalLength: totalLength!,
      };
      const given = bias === undefined ? inputs : { ...inputs, bias };
      const { out, key, value } = ops.cachedAttend(qkv!, given, { heads, kvHeads, total });
      return [out!, key!, value!];
    },
    reference: cached(shape),
    gradient: "refused",
  };
};

/** The same case with a cache of int8, in steps of 1/127 of the range that it has. */
const inInt8 = (name: string, shape: CachedShape, padded?: readonly number[]): Case => {
  const { b, past, heads, kvHeads, d, t } = shape;
  const row = cachedCase(name, shape, padded);
  const steps = constant(tensorOf("float32", [kvHeads * d], new Array(kvHeads * d).fill(STEP)));
  const old = () =>
    given("int8", [b, kvHeads, past, d], draw(name, b * kvHeads * past * d, -127, 128).map(Math.floor));
  const whole = cached(shape);
  const rounded = (x: Flat): number[] => Array.from(x, (v) => Math.round(v / STEP));
  return {
    ...row,
    inputs: row.inputs.map((arg, i) => (i === 1 || i === 2 ? old() : arg)),
    build: (qkv, pastKey, pastValue, seqlensK, totalLength, bias) => {
      const cache = {
        ...{ pastKey: pastKey!, pastValue: pastValue!, seqlensK: seqlensK!, totalLength: totalLength! },
        ...{ keyScale: steps, valueScale: steps, ...(bias === undefined ? {} : { bias }) },
      };
      const { out, key, value } = ops.cachedAttend(qkv!, cache, { heads, kvHeads, total: past + t });
      return [out!, key!, value!];
    },
    reference: (qkv, key, value, seqlens, total, bias) => {
      const wide = (x: Flat) => Array.from(x, (v) => v * STEP);
      const [out, newKey, newValue] = whole(qkv!, wide(key!), wide(value!), seqlens!, total!, bias);
      return [out!, rounded(newKey!), rounded(newValue!)];
    },
    // What is read back from the cache is off by half a step.
    tolerance: 2 * STEP,
  };
};

/** The same case with query, key and value as three inputs, cut from the packed one. */
const separate = (row: Case): Case => ({
  ...row,
  build: (qkv, pastKey, pastValue, seqlensK, totalLength, bias) => {
    const [q, k, v] = ops.columnsOf(qkv!, [32, 16, 16]) as [Value, Value, Value];
    const cache = {
      pastKey: pastKey!,
      pastValue: pastValue!,
      seqlensK: seqlensK!,
      totalLength: totalLength!,
      bias: bias!,
    };
    const total = bias!.shape[3]!;
    const { out, key, value } = ops.cachedAttend([q, k, v], cache, { heads: 4, kvHeads: 2, total });
    return [out!, key!, value!];
  },
});

interface RotaryShape {
  readonly b: number;
  readonly t: number;
  readonly heads: number;
  readonly d: number;
}

const ROTARY_POSITIONS = 5;

/** Angle of a position and a point: any will do. */
const angleOf = (position: number, point: number): number => 0.7 * position + 0.4 * position * point;

/** rotary by its definition; `positions` of each token, or of each time. */
const rotaryCase = (name: string, { b, t, heads, d }: RotaryShape, positions: readonly number[]): Case => {
  const half = d / 2;
  const table = (fn: (angle: number) => number) =>
    tensorOf(
      "float32",
      [ROTARY_POSITIONS, half],
      make([ROTARY_POSITIONS, half], ([p, i]) => fn(angleOf(p!, i!))),
    );
  const whole = positions.length === b * t;
  return {
    name,
    inputs: [f32([b, t, heads * d]), int64(whole ? [b, t] : [t], ...positions)],
    build: (x, at) => {
      const tables = { cos: constant(table(Math.cos)), sin: constant(table(Math.sin)) };
      return ops.rotary(x!, at!, tables, heads);
    },
    reference: (x) => [
      make([b, t, heads, d], ([bi, ti, h, i]) => {
        const position = positions[whole ? bi! * t + ti! : ti!]!;
        const angle = angleOf(position, i! % half);
        const element = (e: number) => x![((bi! * t + ti!) * heads + h!) * d + e]!;
        const other = i! < half ? -element(i! + half) : element(i! - half);
        return element(i!) * Math.cos(angle) + other * Math.sin(angle);
      }),
    ],
  };
};

export const attention = casesOf({
  rotary: [
    rotaryCase("two heads, a batch", { b: 2, t: 3, heads: 2, d: 4 }, [0, 2, 1, 4, 0, 3]),
    rotaryCase("one head, positions shared by the batch", { b: 2, t: 2, heads: 1, d: 6 }, [3, 1]),
    rotaryCase("one row", { b: 1, t: 3, heads: 3, d: 2 }, [0, 1, 2]),
  ],
  attend: [
    attendCase("no mask"),
    attendCase("scale", undefined, undefined, HALF),
    attendCase("full mask", [2, 2, 3, 4], f32([2, 2, 3, 4])),
    attendCase("mask broadcast over batch and heads", [1, 1, 3, 4], f32([1, 1, 3, 4])),
    attendCase("mask of keys", [2, 1, 1, 4], f32([2, 1, 1, 4])),
    attendCase(
      "causal",
      [1, 1, 3, 4],
      given(
        "float32",
        [1, 1, 3, 4],
        make([3, 4], ([t, s]) => (s! > t! ? -1e9 : 0)),
      ),
    ),
  ],
  cachedAttend: [
    cachedCase("one token", { b: 2, t: 1, past: 3, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase("first call, several tokens", { b: 2, t: 3, past: 0, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase(
      "first call, padding on the left",
      { b: 2, t: 3, past: 0, heads: 2, kvHeads: 2, d: 8 },
      [0, 2],
    ),
    cachedCase("one token, padding on the left", { b: 2, t: 1, past: 3, heads: 2, kvHeads: 2, d: 8 }, [2, 0]),
    cachedCase("several tokens behind a cache", { b: 1, t: 2, past: 3, heads: 2, kvHeads: 2, d: 8 }),
    cachedCase("grouped heads", { b: 2, t: 1, past: 3, heads: 4, kvHeads: 2, d: 8 }),
    inInt8("one token, int8", { b: 2, t: 1, past: 3, heads: 4, kvHeads: 2, d: 8 }),
    inInt8("first call, int8, padding", { b: 2, t: 3, past: 0, heads: 2, kvHeads: 2, d: 16 }, [0, 2]),
    cachedCase("one head for keys", { b: 2, t: 2, past: 0, heads: 3, kvHeads: 1, d: 16 }, [1, 0]),
    separate(
      cachedCase("grouped heads, in parts", { b: 2, t: 2, past: 0, heads: 4, kvHeads: 2, d: 8 }, [0, 1]),
    ),
  ],
  emptyCache: [
    {
      name: "for two rows",
      inputs: [int64(["B", "T"], 1, 2, 3, 4)],
      dims: { B: 2, T: 2 },
      build: (ids) => ops.emptyCache(ids!, 3, 8),
      reference: () => [[]],
    },
  ],
});
