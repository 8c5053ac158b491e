// LAMB in a batch of 32 times the size against AdamW: the part "lamb" of `bench scaling`. Both have the best of three rates
// on one seed; AdamW's, which was found in small batches, grows with the batch. What is told are the means of two others.
import { run } from "./run.mjs";

const size = { width: 48, layers: 2, heads: 4, context: 32 };
const [SMALL, STEPS, FACTOR] = [1, 32_000, 32];
const rates = { adamw: [1e-3, 2e-3, 4e-3], lamb: [0.01, 0.02, 0.04] };
const [TUNED, ...SEEDS] = [1, 2, 3];

/** Held-out losses at equal tokens. */
export const lamb = (log) => {
  const take = (optimizer, batch, lr, seed) => {
    const steps = (STEPS * SMALL) / batch;
    const warmup = Math.round(steps / 10);
    const [{ valLoss }] = run("train.mjs", { size: { ...size, batch }, steps, warmup, optimizer, lr, seed });
    log(
      `${optimizer} at ${lr}: ${steps} steps of ${batch}, seed ${seed}: held-out loss ${valLoss.toFixed(4)}`,
    );
    return valLoss;
  };
  const best = (optimizer, batch) => {
    const losses = rates[optimizer].map((lr) => take(optimizer, batch, lr, TUNED));
    return rates[optimizer][losses.indexOf(Math.min(...losses))];
  };
  const [small, large] = [best("adamw", SMALL), best("lamb", SMALL * FACTOR)];
  const mean = (optimizer, batch, lr) =>
    SEEDS.reduce((sum, seed) => sum + take(optimizer, batch, lr, seed) / SEEDS.length, 0);
  const plain = mean("adamw", SMALL, small);
  const scaled = mean("adamw", SMALL * FACTOR, small * FACTOR);
  const found = mean("lamb", SMALL * FACTOR, large);
  return { lambNats: found - plain, lambUnderAdamwNats: scaled - found };
};
