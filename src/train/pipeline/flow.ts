/**
 * A pipeline of ranks (PipeDream-Flush, Narayanan et al. 2021, https://arxiv.org/abs/2104.04473): each has
 * the weights of successive layers, through which micro-batches flow forward, and their gradients backward.
 * A rank goes forward until the first gradient comes, then one backward and one forward in turns (1F1B), so
 * that it holds what at most as many micro-batches need as there are ranks from it to the last.
 */
import type { Engine, Feeds, Session, SessionOptions } from "../../engine/engine.ts";
import { scalar, type TensorType, zeros } from "../../ir/tensor.ts";
import type { Collective } from "../ranks/collective.ts";
import { ONLY, widthKey, widthOf } from "../width.ts";

type Types = Readonly<Record<string, TensorType>>;

/** What goes from one stage to others, by name. */
export interface Links {
  /** What a stage takes, and of whom. */
  readonly takes: readonly { readonly name: string; readonly from: number }[];
  /** What it gives, and to whom. */
  readonly gives: readonly { readonly name: string; readonly to: readonly number[] }[];
}

/** A stage's graphs for batches of one width. */
export interface StageGraphs extends Links {
  /** Absent in the last stage, whose backward pass begins at once. */
  readonly forward?: Uint8Array;
  readonly backward: Uint8Array;
  /** Types of what comes from other stages and goes to them, by name. */
  readonly types: Types;
  /** What the backward pass needs of the forward pass, by name. */
  readonly kept: Types;
}

/** A rank's part of a pipeline. */
export interface PipelinePlan {
  /** By the width of a batch's rows. */
  readonly graphs: Readonly<Record<string, StageGraphs>>;
  /** Trained tensors of this rank that others have, too, with all that do. */
  readonly shared: readonly { readonly path: string; readonly ranks: readonly number[] }[];
}

/** The name of what flows back into what a stage gives. */
export const flowInto = (name: string): string => `flow.${name}`;
/** The name of what flows back from what a stage takes. */
export const flowBack = (name: string): string => `back.${name}`;

/** One pass of a stage over a micro-batch. */
export interface Turn {
  readonly pass: "forward" | "backward";
  readonly micro: number;
}

/** The turns of rank `rank` of `size`. */
export const turnsOf = (rank: number, size: number, count: number): readonly Turn[] => {
  const warm = Math.min(size - 1 - rank, count);
  const each = Array.from({ length: count }, (_, micro) => micro);
  return [
    ...each.slice(0, warm).map((micro): Turn => ({ pass: "forward", micro })),
    ...each.slice(warm).flatMap((micro): Turn[] => [
      { pass: "forward", micro },
      { pass: "backward", micro: micro - warm },
    ]),
    ...each.slice(count - warm).map((micro): Turn => ({ pass: "backward", micro })),
  ];
};

/** The ends of a collective that go from one rank to another. Throws where it has none. */
export const linesOf = ({ send, receive }: Collective) => {
  if (send === undefined || receive === undefined) {
    throw new Error("a pipeline runs on ranks that send to one another");
  }
  return { send, receive };
};

/** Room for what a micro-batch needs from its forward pass until its gradients have left. */
interface Slot {
  /** What is taken, given and kept. */
  readonly forward: Feeds;
  /** What flows into what was given. */
  readonly flows: Feeds;
  /** What flows back from what was taken. */
  readonly back: Feeds;
  readonly sending: Promise<void>[];
}

const room = (types: readonly (readonly [name: string, type: TensorType])[]): Feeds =>
  Object.fromEntries(types.map(([name, type]) => [name, zeros(type)]));

const slotFor = ({ takes, gives, types, kept }: StageGraphs): Slot => ({
  forward: room([...Object.entries(types), ...Object.entries(kept)]),
  flows: room(gives.map(({ name }) => [flowInto(name), types[name]!])),
  back: room(takes.map(({ name }) => [flowBack(name), types[name]!])),
  sending: [],
});

const floats = (feeds: Feeds, name: string): Float32Array => feeds[name]!.data as Float32Array;

/** A stage for batches of one width: its sessions, and slots that are free. */
interface Opened {
  readonly graphs: StageGraphs;
  readonly forward?: Session;
  readonly backward: Session;
  readonly free: Slot[];
}

/** What all micro-batches are fed, and where results are written. */
export interface Fed {
  readonly feeds: Feeds;
  /** Gradients, by the names of the graphs' outputs. */
  readonly fetches: Feeds;
}

/** The two passes of a stage, over what comes from other ranks and goes to them. */
const passesOf = (collective: Collective) => {
  const { send, receive } = linesOf(collective);
  return {
    async forward({ graphs, forward }: Opened, slot: Slot, feeds: Feeds): Promise<void> {
      for (const { name, from } of graphs.takes) await receive(from, floats(slot.forward, name));
      if (forward === undefined) return;
      const made = forward.outputNames.filter((name) => name in slot.forward);
      const fetches = Object.fromEntries(made.map((name) => [name, slot.forward[name]!]));
      await forward.run({ ...feeds, ...slot.forward }, fetches);
      for (const { name, to } of graphs.gives) {
        for (const rank of to) slot.sending.push(send(rank, floats(slot.forward, name)));
      }
    },
    async backward({ graphs, backward }: Opened, slot: Slot, { feeds, fetches }: Fed): Promise<void> {
      for (const { name, to } of graphs.gives) {
        const sum = floats(slot.flows, flowInto(name));
        for (const [i, rank] of to.entries()) {
          const part = i === 0 ? sum : new Float32Array(sum.length);
          await receive(rank, part);
          if (i > 0) for (let k = 0; k < sum.length; k++) sum[k]! += part[k]!;
        }
      }
      await backward.run({ ...feeds, ...slot.forward, ...slot.flows }, { ...fetches, ...slot.back });
      for (const { name, from } of graphs.takes) {
        slot.sending.push(send(from, floats(slot.back, flowBack(name))));
      }
    },
  };
};

/** The sum of a tensor's gradients over the ranks that have it, in their order, on each of them. */
const sharedSum = async (collective: Collective, data: Float32Array, ranks: readonly number[]) => {
  const { send, receive } = linesOf(collective);
  const own = data.slice();
  const sending = ranks.flatMap((r) => (r === collective.rank ? [] : [send(r, own)]));
  const parts: Float32Array[] = [];
  for (const r of ranks) {
    const part = r === collective.rank ? own : new Float32Array(data.length);
    if (r !== collective.rank) await receive(r, part);
    parts.push(part);
  }
  await Promise.all(sending);
  data.set(parts[0]!);
  for (const part of parts.slice(1)) for (let i = 0; i < data.length; i++) data[i]! += part[i]!;
};

/** A rank's stage. */
export interface Flow {
  /**
   * Finds the gradients of all micro-batches together, and resolves to the loss on the last rank, to 0 on
   * others. `fed.fetches` has the gradients "grads.PATH"; those of several micro-batches are added to what
   * they hold.
   */
  find(micro: readonly Feeds[], fed: Fed): Promise<number>;
  dispose(): Promise<void>;
}

/** Opens the graphs of a rank's stage as batches of their widths come. */
export const openFlow = (
  engine: Engine,
  { graphs, shared }: PipelinePlan,
  collective: Collective,
  options: SessionOptions,
): Flow => {
  const { rank, size } = collective;
  const passes = passesOf(collective);
  const opened = new Map<string, Promise<Opened>>();
  const open = async (key: string): Promise<Opened> => {
    const own = graphs[key]!;
    const forward = own.forward && (await engine.load(own.forward, options));
    const backward = await engine.load(own.backward, options);
    return { graphs: own, backward, free: [], ...(forward === undefined ? {} : { forward }) };
  };
  const at = (batch: Feeds): Promise<Opened> => {
    const key = ONLY in graphs ? ONLY : widthKey(widthOf(batch, "batch."));
    const found = opened.get(key) ?? open(key);
    opened.set(key, found);
    return found;
  };
  return {
    async find(micro, { feeds, fetches }) {
      const slots = new Map<number, Slot>();
      const leaving: Promise<void>[] = [];
      const loss = scalar(0);
      const results = rank === size - 1 ? { ...fetches, loss } : fetches;
      let total = 0;
      for (const { pass, micro: m } of turnsOf(rank, size, micro.length)) {
        const stage = await at(micro[m]!);
        const fed = { ...feeds, ...micro[m]! };
        const slot = slots.get(m) ?? stage.free.pop() ?? slotFor(stage.graphs);
        slots.set(m, slot);
        if (pass === "forward") await passes.forward(stage, slot, fed);
        else {
          await passes.backward(stage, slot, { feeds: fed, fetches: results });
          total += loss.data[0] as number;
          slots.delete(m);
          // It is used again once all of it has left.
          leaving.push(Promise.all(slot.sending.splice(0)).then(() => void stage.free.push(slot)));
        }
      }
      await Promise.all(leaving);
      for (const { path, ranks } of shared) {
        await sharedSum(collective, floats(fetches, `grads.${path}`), ranks);
      }
      return total;
    },
    async dispose() {
      for (const found of opened.values()) {
        const { forward, backward } = await found;
        await forward?.dispose();
        await backward.dispose();
      }
    },
  };
};
