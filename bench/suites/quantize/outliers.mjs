// SmoothQuant on outliers that were planted: three channels behind each norm are made a hundred times as strong and their weights as
// much weaker, which leaves the model's outputs as they are. Weights and inputs then have 8 bits, a row of inputs under one scale.
import { foldFinder, withFolds } from "../../../dist/compress/calibration/folds.js";
import { smoothed } from "../../../dist/compress/calibration/smooth.js";
import { walkable } from "../../../dist/compress/calibration/walk.js";
import { denseMatrices } from "../../../dist/compress/probe.js";
import { quantized } from "../../../dist/compress/quantize.js";
import { paired } from "../trained/models.mjs";

const PLANTED = [5, 41, 99];

const planted = (model, batches) => {
  const way = walkable(model, batches);
  const fold = foldFinder(model, way);
  const folds = way.sites.flatMap((site) => {
    const found = fold(site);
    if (found === undefined || found.vectors.length === 0) return [];
    const k = site.x.shape.at(-1);
    const scales = Float64Array.from({ length: k }, (_, i) => (PLANTED.includes(i) ? 0.01 : 1));
    return [{ fold: found, paths: site.paths, scales }];
  });
  return { model: withFolds(model, folds), sites: folds.length };
};

const naive = (model) => {
  const paths = Object.keys(denseMatrices(model));
  return quantized(
    model,
    { bits: 8 },
    { forms: new Map(paths.map((path) => [path, { digits: 1, strong: [] }])) },
  );
};

/** Nats that naive 8 bits cost without outliers, with them, and with them moved. */
export const outliers = async (engine, model, { score, dense, batches, log }) => {
  const strong = planted(model, batches);
  if (strong.sites === 0) return null; // Nothing takes scales: norms that the residual stream reads too.
  const { model: smooth } = await smoothed(engine, strong.model, batches);
  const of = async (form) => paired(await score(form), dense);
  const [plain, before, after, unchanged] = [
    await of(naive(model)),
    await of(naive(strong.model)),
    await of(naive(smooth)),
    await of(smooth),
  ];
  const kept = after.gap / before.gap;
  log(
    `outliers: naive ${before.gap.toFixed(4)} nats, smoothed ${after.gap.toFixed(4)}, none ${plain.gap.toFixed(4)}`,
  );
  return {
    ...{ plain: plain.gap, naive: before.gap, smoothed: after.gap, fold: unchanged.gap },
    kept: before.gap < 3 * before.error ? null : kept,
  };
};
