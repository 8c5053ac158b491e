// Mixed bits at the bytes of 3 bits in blocks of 32, which have no form in ONNX: each kind of matrix takes 2 or 4 bits in blocks
// of 32, 64 or 128, or 8, by what that costs the outputs. `blocks32` are mixtures in blocks of 32 alone, `four` those of 4 and 8 bits
// at the bytes of 4 bits in blocks of 32.
import { modelCodes } from "../../../dist/compress/calibration/codes.js";
import { matrixOf } from "../../../dist/compress/matrix.js";
import { formBytes, mixedGrids } from "../../../dist/compress/mixed.js";
import { denseMatrices } from "../../../dist/compress/probe.js";
import { calibration, paired } from "../trained/models.mjs";

const in4 = [32, 64, 128].map((block) => ({ bits: 4, block }));
const in2 = [32, 64, 128].map((block) => ({ bits: 2, block }));
const cases = {
  three: { uniform: { bits: 3, block: 32 }, forms: [...in2, ...in4, { bits: 8 }] },
  blocks32: { uniform: { bits: 3, block: 32 }, forms: [in2[0], in4[0], { bits: 8 }] },
  four: { uniform: { bits: 4, block: 32 }, forms: [...in4, { bits: 8 }] },
};

/** Gaps of uniform and mixed grids, by scale search; of the first case also of other methods on the mixture. */
export const mixtures = async (engine, model, { data, score, dense, asRounded, batches, log }) => {
  const layouts = new Map(model.arch.linears(model.config).map(({ path, layout }) => [path, layout]));
  const matrices = Object.entries(denseMatrices(model)).map(([path, w]) =>
    matrixOf(path, w, layouts.get(path)),
  );
  const bytes = (grid) => matrices.reduce((sum, { n, k }) => sum + formBytes(n, k, grid), 0);
  const texts = calibration(data, 7, 4096);
  const found = {};
  for (const [name, { uniform, forms }] of Object.entries(cases)) {
    const grids = await mixedGrids(engine, model, { texts, forms, maxBytes: bytes(uniform) });
    const gap = async (method, own) => {
      const made = await modelCodes(engine, model, { method, grid: uniform, batches, ...own });
      return paired(await score(asRounded(made.model, made.codes)), dense).gap;
    };
    const methods = name === "three" ? ["nearest", "search", "reconstruct"] : ["search"];
    const gaps = { uniform: await gap("search", {}) };
    for (const method of methods) gaps[method] = await gap(method, { grids });
    found[name] = { ...gaps, kept: gaps.search / gaps.uniform };
    if (gaps.reconstruct !== undefined) found[name].keptReconstruction = gaps.reconstruct / gaps.nearest;
    const words = Object.entries(found[name]).map(([key, value]) => `${key} ${value.toFixed(4)}`);
    log(`mixed bits, ${name}: ${words.join(", ")}`);
  }
  return found;
};
