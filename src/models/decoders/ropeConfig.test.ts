import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ropeTables } from "../../nn/attention/rope.ts";
import { ConfigError } from "../../util/errors.ts";
import { llama } from "./llama.ts";
import { ropeFields } from "./ropeConfig.ts";

interface Golden {
  readonly positions: readonly number[];
  /** Every how many frequencies one is kept. */
  readonly every: number;
  readonly cases: Readonly<
    Record<
      string,
      { config: object; cos: readonly (readonly number[])[]; sin: readonly (readonly number[])[] }
    >
  >;
}

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/rope.json", import.meta.url), "utf8"),
) as Golden;

describe("tables of angles equal the reference, near and far", () => {
  test.each(Object.entries(golden.cases))("%s", (_, want) => {
    const config = llama.parse({ model_type: "llama", ...want.config });
    const half = config.head_dim / 2;
    const tables = ropeTables(golden.positions.at(-1)! + 1, config.head_dim, config);
    expect(tables.cos.shape).toEqual([golden.positions.at(-1)! + 1, half]);
    for (const part of ["cos", "sin"] as const) {
      golden.positions.forEach((position, row) => {
        // A float32's last place of the frequency is worth this much at the position.
        const far = 1e-6 + position * 2e-7;
        want[part][row]!.forEach((value, i) => {
          const at = position * half + i * golden.every;
          const error = Math.abs((tables[part].data[at] as number) - value);
          expect(error, `${part} at ${position}, ${i}`).toBeLessThan(far);
        });
      });
    }
  });
});

describe("ropeFields", () => {
  const scaling = { factor: 8, original_max_position_embeddings: 64 };
  const yarn = { rope_type: "yarn", ...scaling };

  test("reads the older and the newer form alike", () => {
    const want = { rope_theta: 5e5, rope_scaling: yarn };
    expect(ropeFields({ rope_theta: 5e5, rope_scaling: yarn }, 512)).toEqual(want);
    expect(ropeFields({ rope_theta: 5e5, rope_scaling: { type: "yarn", ...scaling } }, 512)).toEqual(want);
    expect(ropeFields({ rope_parameters: { ...yarn, rope_theta: 5e5 } }, 512)).toEqual(want);
  });

  test("scales nothing where it is told nothing", () => {
    const plain = { rope_theta: 10000, rope_scaling: null };
    expect(ropeFields({}, 512)).toEqual(plain);
    expect(ropeFields({ rope_scaling: null, rope_parameters: null }, 512)).toEqual(plain);
    expect(ropeFields({ rope_scaling: { rope_type: "default" } }, 512)).toEqual(plain);
  });

  test("the older form comes first, and the base inside the newer before the one beside it", () => {
    const both = { rope_scaling: { type: "linear", factor: 2 }, rope_parameters: yarn };
    expect(ropeFields(both, 512).rope_scaling).toEqual({ rope_type: "linear", factor: 2 });
    expect(ropeFields({ rope_theta: 1, rope_parameters: { rope_theta: 7 } }, 512).rope_theta).toBe(7);
  });

  test("the first context stands beside the scaling, in it, or is the whole", () => {
    const context = (fields: object) => {
      const { rope_scaling: s } = ropeFields({ ...fields } as never, 512);
      return (s as { original_max_position_embeddings: number }).original_max_position_embeddings;
    };
    expect(context({ rope_scaling: yarn, original_max_position_embeddings: 32 })).toBe(32);
    expect(context({ rope_scaling: yarn })).toBe(64);
    expect(context({ rope_scaling: { rope_type: "yarn", factor: 8 } })).toBe(512);
  });

  test("yarn's factor is the growth of the context where it is not told", () => {
    const s = ropeFields({ rope_scaling: { ...yarn, factor: null } }, 512).rope_scaling;
    expect(s).toEqual(yarn);
  });

  test.each([
    [
      { rope_scaling: { type: "yarn", factor: 4, original_max_position_embeddings: 0 } },
      /rope_scaling.original/,
    ],
    [{ rope_scaling: { type: "yarn", factor: 4, beta_fast: "32" } }, /rope_scaling.beta_fast/],
    [
      { rope_parameters: { rope_type: "linear", factor: 2, partial_rotary_factor: 0.5 } },
      /rope_parameters.partial/,
    ],
    [{ rope_parameters: [1] }, /field "rope_parameters": must be an object/],
    [{ rope_scaling: { type: "toString" } }, /rope_scaling.rope_type": is "toString"/],
    [{ rope_parameters: { full_attention: { rope_type: "linear" } } }, /rope_parameters.full_attention/],
  ])("%j is refused by name", (fields, message) => {
    expect(() => ropeFields(fields, 512)).toThrow(ConfigError);
    expect(() => ropeFields(fields, 512)).toThrow(message);
  });
});
