/** How the ranks of a run talk to one another. */

/** What one rank gives to another. */
export type Parcel = readonly Float32Array[];

/** Memory of ranks, by rank: what one of this machine writes into its own, others read where it lies. */
export type Windows = readonly (ArrayBuffer | undefined)[];

/** One rank's end. All ranks call the same methods in the same order. */
export interface Collective {
  readonly rank: number;
  readonly size: number;
  /**
   * Whether numbers are copied, as between processes, and stay with who gives them; else their buffers move,
   * as between threads.
   */
  readonly copies: boolean;
  /**
   * Gives `parcels[r]` to rank r, and resolves to what each rank gave to this one, by rank; its own parcel
   * comes back as it is. Where numbers are copied, what rank r gives is written into `room[r]`, which has as
   * many arrays of the same lengths (those of `parcels` unless told). Rejects when another rank has failed.
   */
  exchange(parcels: readonly Parcel[], room?: readonly Parcel[]): Promise<readonly Parcel[]>;
  /**
   * Gives numbers to one rank, which come to it in the order in which they were sent; resolves once they may
   * change. Absent between threads.
   */
  send?(to: number, data: Float32Array): Promise<void>;
  /** Takes what a rank has sent, as many numbers as that. */
  receive?(from: number, room: Float32Array): Promise<void>;
  /**
   * Memory of this rank, of `bytes`, and that of the others on its machine; undefined at ranks of other
   * machines. It lives as long as the process. Absent where ranks share no memory.
   */
  windows?(bytes: number): Promise<Windows>;
}

/** The collective of a rank without others. */
export const alone: Collective = {
  rank: 0,
  size: 1,
  copies: false,
  exchange: async (parcels) => parcels,
};
