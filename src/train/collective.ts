/** How the ranks of a run talk to one another. */

/** What one rank gives to another: numbers whose buffers move there. */
export type Parcel = readonly Float32Array[];

/** One rank's end. All ranks call the same methods in the same order. */
export interface Collective {
  readonly rank: number;
  readonly size: number;
  /**
   * Gives `parcels[r]` to rank r, and resolves to what each rank gave to this one, by rank; its own parcel
   * comes back as it is. Rejects when another rank has failed.
   */
  exchange(parcels: readonly Parcel[]): Promise<readonly Parcel[]>;
}

/** The collective of a rank without others. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  exchange: async (parcels) => parcels,
};
