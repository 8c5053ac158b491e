// LAMB in a batch of 32 times the size against AdamW: the part "lamb" of `bench scaling`.
import { run } from "./run.mjs";

const size = { width: 48, layers: 2, heads: 4, context: 32 };
const [SMALL, STEPS, FACTOR] = [1, 16_000, 32];
const RATE = 1e-3;

/** Held-out losses at equal tokens. */
export const lamb = (log) => {
  const take = (name, batch, own) => {
    const steps = (STEPS * SMALL) / batch;
    const given = { size: { ...size, batch }, steps, warmup: Math.round(steps / 10), ...own };
    const [{ valLoss }] = run("train.mjs", given);
    log(`${name}: ${steps} steps of ${batch} sequences, held-out loss ${valLoss.toFixed(4)}`);
    return valLoss;
  };
  const small = take("AdamW", SMALL, { lr: RATE });
  const large = take("AdamW, rate scaled linearly", SMALL * FACTOR, { lr: RATE * FACTOR });
  const found = take("LAMB", SMALL * FACTOR, { lr: 0.03, optimizer: "lamb" });
  return { lambNats: found - small, lambUnderAdamwNats: large - found };
};
