/** A collective of threads: a message port to each other rank. */
import type { MessagePort } from "node:worker_threads";
import type { Collective, Parcel } from "../../train/ranks/collective.ts";

/** Ports by rank; there is none at the own rank. */
export type Ports = readonly (MessagePort | null)[];

/** What has come from another rank and was not asked for yet, or who asks for it. */
interface Inbox {
  readonly parcels: Parcel[];
  waiting?: ((parcel: Parcel) => void) | undefined;
}

const inboxOf = (port: MessagePort): Inbox => {
  const inbox: Inbox = { parcels: [] };
  port.on("message", (parcel: Parcel) => {
    const { waiting } = inbox;
    inbox.waiting = undefined;
    if (waiting === undefined) inbox.parcels.push(parcel);
    else waiting(parcel);
  });
  return inbox;
};

const next = (inbox: Inbox): Promise<Parcel> =>
  new Promise((resolve) => {
    const parcel = inbox.parcels.shift();
    if (parcel === undefined) inbox.waiting = resolve;
    else resolve(parcel);
  });

/** The end of rank `rank`; what it waits for rejects when `failure` does. */
export const portCollective = (rank: number, ports: Ports, failure: Promise<never>): Collective => {
  const inboxes = ports.map((port) => (port === null ? undefined : inboxOf(port)));
  // One reaction for the whole run: each that is attached to a promise lives, with what it holds, as long.
  let stop: (error: unknown) => void = () => {};
  let failed: { readonly error: unknown } | undefined;
  failure.catch((error: unknown) => {
    failed = { error };
    stop(error);
  });
  return {
    rank,
    size: ports.length,
    copies: false,
    exchange(parcels) {
      ports.forEach((port, r) => {
        const parcel = parcels[r]!;
        port?.postMessage(
          parcel,
          parcel.map((data) => data.buffer as ArrayBuffer),
        );
      });
      const coming = inboxes.map((inbox, r) => (inbox === undefined ? parcels[r]! : next(inbox)));
      return new Promise((resolve, reject) => {
        stop = reject;
        if (failed !== undefined) reject(failed.error);
        Promise.all(coming).then(resolve, reject);
      });
    },
  };
};
