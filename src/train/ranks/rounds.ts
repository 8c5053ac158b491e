/** How gradients get to their owners in a step, and new params back to all. */
import type { Tensor } from "../../ir/tensor.ts";
import type { Collective, Parcel, Windows } from "./collective.ts";
import { allocate, type Held, numbers, takeBack, tensorsOf, typesOf } from "./held.ts";
import { type Codec, codecs, type Wire } from "./wire.ts";

/** The two ways of a step. */
export interface Rounds {
  /**
   * What each rank found of the own shard's gradients, which stays as it is until `spread`; undefined where
   * their sums are there already.
   */
  gather(): Promise<readonly Parcel[] | undefined>;
  /** Gives the own shard's params to all, as they are after an update. */
  spread(given: readonly Parcel[], updated: boolean): Promise<void>;
}

/** Of a rank that alone has gradients and params of its shard. */
export const noRounds: Rounds = { gather: async () => undefined, spread: async () => {} };

/** Whose shards move between whom. */
export interface Moved {
  readonly collective: Collective;
  /** Of all ranks. */
  readonly shards: readonly Held[];
  readonly own: Held;
}

/** A copy of a shard's params travels along with its gradients, is filled by its owner, and comes back. */
const moving = ({ collective, shards, own }: Moved): Rounds => ({
  gather: () =>
    collective.exchange(shards.map(({ grads, params }) => [...numbers(grads), ...numbers(params)])),
  async spread(given, updated) {
    const fresh = updated ? numbers(own.params) : [];
    for (const [r, parcel] of given.entries()) {
      if (r === collective.rank) continue;
      for (const [i, data] of fresh.entries()) parcel[fresh.length + i]!.set(data);
    }
    const back = await collective.exchange(given);
    shards.forEach((held, r) => {
      if (r !== collective.rank) takeBack(held, back[r]!);
    });
  },
});

/** Gradients come into room for them, params to where they are needed. */
const copying = ({ collective, shards, own }: Moved): Rounds => {
  let room: readonly Parcel[] | undefined;
  return {
    gather() {
      room ??= shards.map((_, r) => (r === collective.rank ? [] : numbers(allocate(typesOf(own.bucket)))));
      return collective.exchange(
        shards.map(({ grads }) => numbers(grads)),
        room,
      );
    },
    async spread(_, updated) {
      if (!updated) return; // All ranks know that it was not.
      const fresh = numbers(own.params);
      await collective.exchange(
        shards.map(() => fresh),
        shards.map(({ params }) => numbers(params)),
      );
    },
  };
};

/** What stands in a rank's window: the gradients that it finds of each shard, and the params that it owns. */
interface Place {
  readonly grads: readonly Parcel[];
  readonly params: Parcel;
}

/** Bytes to a multiple of which arrays are laid: a cache line. */
const LINE = 64;

const sizesOf = (held: Held): number[] => numbers(held.grads).map(({ length }) => length);

const lineUp = (floats: number): number => Math.ceil((floats * 4) / LINE) * LINE;

/** Bytes of the window of the rank that owns `own`. */
const windowBytes = (shards: readonly Held[], own: Held): number =>
  [...shards.flatMap(sizesOf), ...numbers(own.params).map(({ length }) => length)].reduce(
    (sum, floats) => sum + lineUp(floats),
    0,
  );

/** Where things stand in the window of the rank that owns `own`. */
const placeIn = (window: ArrayBuffer, shards: readonly Held[], own: Held): Place => {
  let at = 0;
  const next = (floats: number): Float32Array => {
    const array = new Float32Array(window, at, floats);
    at += lineUp(floats);
    return array;
  };
  const grads = shards.map((held) => sizesOf(held).map(next));
  return { grads, params: numbers(own.params).map(({ length }) => next(length)) };
};

/** Arrays of numbers into as many others. */
const copyInto = (to: Parcel, from: Parcel): void => {
  for (const [i, data] of from.entries()) if (to[i] !== data) to[i]!.set(data);
};

const lies = (held: Held, place: Parcel): Map<string, Tensor> => tensorsOf(held.bucket, place);

/**
 * Ranks of one machine read each other's gradients and params where they lie: what stands in a window is
 * written only after an exchange that all come to once they have read it. To and from others all is copied.
 */
const sharing = ({ collective, shards, own }: Moved, windows: Windows): Rounds => {
  const { rank } = collective;
  const places = windows.map((window, r) => window && placeIn(window, shards, shards[r]!));
  const mine = places[rank]!;
  shards.forEach((held, r) => {
    if (held.grads.size > 0) held.grads = lies(held, mine.grads[r]!);
  });
  own.params = lies(own, mine.params);
  let room: readonly Parcel[] | undefined;
  const toOthers = (of: (r: number) => Parcel) =>
    places.map((place, r) => (place === undefined ? of(r) : []));
  return {
    async gather() {
      room ??= toOthers(() => numbers(allocate(typesOf(own.bucket))));
      const come = await collective.exchange(
        toOthers((r) => numbers(shards[r]!.grads)),
        room,
      );
      return places.map((place, r) => place?.grads[rank] ?? come[r]!);
    },
    async spread(_, updated) {
      if (!updated) return;
      // A state that is not updated where it lies has moved out of the window.
      copyInto(mine.params, numbers(own.params));
      await collective.exchange(
        toOthers(() => numbers(own.params)),
        toOthers((r) => numbers(shards[r]!.params)),
      );
      for (const [r, place] of places.entries()) {
        if (r !== rank && place !== undefined) copyInto(numbers(shards[r]!.params), place.params);
      }
    },
  };
};

/**
 * Gradients, and by how much params change, in fewer bits. All ranks, the owner too, take the change as it
 * came out of them: their params stay the same to the bit.
 */
const coded = ({ collective, shards, own }: Moved, { pack, unpack, sizeOf }: Codec): Rounds => {
  const { rank } = collective;
  const roomFor = (held: Held): Parcel => sizesOf(held).map((count) => new Float32Array(sizeOf(count)));
  const room = shards.map(() => roomFor(own));
  const given = shards.map((_, r) => (r === rank ? [] : numbers(allocate(typesOf(own.bucket)))));
  const changed = shards.map((held, r) => (r === rank ? [] : roomFor(held)));
  const before = numbers(allocate(typesOf(own.bucket)));
  const change = numbers(allocate(typesOf(own.bucket)));
  /** Adds what travelled to params. */
  const apply = (params: Parcel, bits: Parcel, was: Parcel): void => {
    for (const [i, data] of params.entries()) {
      const by = new Float32Array(data.length);
      unpack(bits[i]!, by);
      const from = was[i]!;
      for (let k = 0; k < data.length; k++) data[k] = from[k]! + by[k]!;
    }
  };
  return {
    async gather() {
      copyInto(before, numbers(own.params));
      const bits = shards.map(({ grads }, r) => (r === rank ? [] : numbers(grads).map(pack)));
      const come = await collective.exchange(bits, room);
      for (const [r, parcel] of given.entries()) {
        for (const [i, data] of parcel.entries()) unpack(come[r]![i]!, data);
      }
      return given;
    },
    async spread(_, updated) {
      if (!updated) return;
      const fresh = numbers(own.params);
      for (const [i, data] of change.entries()) {
        for (let k = 0; k < data.length; k++) data[k] = fresh[i]![k]! - before[i]![k]!;
      }
      const bits = change.map(pack);
      const come = await collective.exchange(
        shards.map(() => bits),
        changed,
      );
      apply(fresh, bits, before);
      for (const [r, held] of shards.entries()) {
        if (r !== rank) apply(numbers(held.params), come[r]!, numbers(held.params));
      }
    },
  };
};

/**
 * How the ranks of a collective share gradients, unless those are `summed` already, and params. All ranks
 * open it together.
 */
export const openRounds = async (moved: Moved, wire: Wire = "float32", summed = false): Promise<Rounds> => {
  const rounds = await bothWays(moved, wire);
  return summed ? { ...rounds, gather: noRounds.gather } : rounds;
};

const bothWays = async (moved: Moved, wire: Wire): Promise<Rounds> => {
  const { collective, shards, own } = moved;
  if (!collective.copies) return moving(moved);
  if (wire !== "float32") return coded(moved, codecs[wire]);
  const windows = await collective.windows?.(windowBytes(shards, own));
  const shares = windows?.some((window, r) => r !== collective.rank && window !== undefined);
  return windows !== undefined && shares ? sharing(moved, windows) : copying(moved);
};
