/** Texts that are longer than a model reads are refused by their length, in every family that has positions. */
import { expect, test } from "vitest";
import { trace } from "../src/ir/program.ts";
import { architectures } from "../src/models/index.ts";
import { asConstants, initialize, type ParamSpec } from "../src/nn/param.ts";
import { ConfigError } from "../src/util/errors.ts";
import type { Tree } from "../src/util/tree.ts";
import { exportCases } from "./cases/exports.ts";

const models = Object.entries(exportCases).flatMap(([name, { config: given }]) => {
  const arch = architectures[name]!;
  const config = arch.parse({ model_type: name, ...given });
  return Number.isFinite(arch.cache(config).positions) ? [[name, arch, config] as const] : [];
});

test("there are decoders, encoders and encoder-decoders among them", () => {
  expect(new Set(models.map(([, { kind }]) => kind)).size).toBe(3);
});

test.each(models)("%s", (_, arch, config) => {
  const weights = asConstants(initialize(arch.params(config) as Tree<ParamSpec>, 1));
  const read = (length: number) => {
    const ids = { dtype: "int32", shape: [1, length] } as const;
    const feeds = {
      inputIds: ids,
      ...(arch.kind === "decoder" ? {} : { attentionMask: ids }),
      ...(arch.kind === "seq2seq" ? { decoderInputIds: { ...ids, shape: [1, 2] } } : {}),
    };
    return () => trace(feeds, (v) => ({ out: arch.forward(weights, v as never, config).logits }));
  };
  const { positions } = arch.cache(config);
  expect(read(positions)).not.toThrow();
  expect(read(positions + 1)).toThrow(ConfigError);
  expect(read(positions + 1)).toThrow(/tokens are more than the model's \d+ positions/);
});
