/** What ranks hold apart, brought together on the first. */
import type { Tensor } from "../ir/tensor.ts";
import { zeros } from "../ir/tensor.ts";
import type { Collective } from "../train/ranks/collective.ts";
import { tellAll } from "./agree.ts";

type Tensors = ReadonlyMap<string, Tensor>;

/** Numbers of 32 bits as they travel. */
const bitsOf = ({ data: { buffer, byteOffset, length } }: Tensor): Float32Array =>
  new Float32Array(buffer, byteOffset, length);

/**
 * The tensors of all ranks by name on rank 0, the own ones elsewhere; of one that several hold, that of the
 * first. Types are of 32 bits.
 */
export const gathered = async (collective: Collective, own: Tensors): Promise<Tensors> => {
  const { rank, exchange } = collective;
  const types = Array.from(own, ([name, { dtype, shape }]) => [name, dtype, shape] as const);
  const told = await tellAll(collective, types);
  const seen = new Set(told[0]!.map(([name]) => name));
  const room = told.map((of, r) => {
    if (r === rank) return own;
    const comes = rank === 0 && r > 0 ? of.filter(([name]) => !seen.has(name)) : [];
    for (const [name] of comes) seen.add(name);
    return new Map(comes.map(([name, dtype, shape]) => [name, zeros({ dtype, shape })]));
  });
  // What an earlier rank holds is not given again.
  const earlier = new Set(told.slice(0, rank).flatMap((of) => of.map(([name]) => name)));
  const given = rank === 0 ? [] : [...own].filter(([name]) => !earlier.has(name)).map(([, t]) => bitsOf(t));
  await exchange(
    told.map((_, r) => (r === 0 ? given : [])),
    room.map((tensors, r) => (r === rank ? [] : [...tensors.values()].map(bitsOf))),
  );
  return rank === 0 ? new Map(room.flatMap((tensors) => [...tensors])) : own;
};
