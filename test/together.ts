/** Checkpoints of ranks in one process, in memory: what they save of a step is one. */
import type { Checkpoints, Snapshot } from "../src/train/checkpoint.ts";
import type { Tensors } from "../src/train/ranks/held.ts";

const copied = (tensors: Tensors): Tensors =>
  new Map(Array.from(tensors, ([name, t]) => [name, { ...t, data: t.data.slice() }]));

const parts = ["state", "best", "average"] as const;

/** Checkpoints that go into `saved`, each whole; the last one loads. */
export const together = (saved: Snapshot[]): Checkpoints => ({
  async save(own) {
    const before = saved.at(-1)?.step === own.step ? saved.pop() : undefined;
    const joined = parts.flatMap((part) =>
      own[part] === undefined ? [] : [[part, new Map([...(before?.[part] ?? []), ...copied(own[part])])]],
    );
    saved.push({ ...own, ...Object.fromEntries(joined) });
  },
  async load(wanted = () => true) {
    const last = saved.at(-1)!;
    const found = parts.flatMap((part) =>
      last[part] === undefined ? [] : [[part, new Map([...last[part]].filter(([name]) => wanted(name)))]],
    );
    return { ...last, ...Object.fromEntries(found) };
  },
});
