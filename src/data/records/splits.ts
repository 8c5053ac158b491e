/**
 * Training, validation and test parts of a corpus. The key of a document is a hash of its text alone, so that
 * more documents do not move the others; documents of one unit (a group, a cluster of near-duplicates) share
 * the least key among them and stay together.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { lossHint, lossText } from "../pipeline/losses.ts";
import type { StageReport } from "./document.ts";

/** Index of the training part. */
export const TRAIN = 0;
/** Index of the validation part. */
export const VALIDATION = 1;
/** Index of the test part. */
export const TEST = 2;
/** Of a document that no part has. */
export const NOWHERE = 255;

/** The parts' names by index. */
export const splitNames = ["train", "validation", "test"] as const;
/** The name of a part. */
export type SplitName = (typeof splitNames)[number];

/** How much is held out of training. */
export interface SplitShares {
  /** Shares of the bytes, by whole units; 0 for none. */
  readonly validation: number;
  readonly test: number;
}

/** Scrambles a word by a salt (the avalanche of MurmurHash3). */
export const scrambled = (word: number, salt: number): number => {
  let x = word ^ salt;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
};

/** The salt of one use of the keys. */
export const saltOf = (seed: number, use: string): number => rng(seed, use).word();

/** Documents that could not be told apart before: of each, a word of its hash, its bytes, and its unit. */
export interface SplitTable {
  /** [n] */
  readonly keys: Uint32Array;
  /** UTF-8 bytes; 0 for a document that is in no part. [n] */
  readonly bytes: Uint32Array;
  /** The index of a document of the same unit, the same for all of the unit. [n] */
  readonly units: Int32Array;
  /** What the documents went through, told where too few are left. */
  readonly stages?: readonly StageReport[];
}

interface Unit {
  readonly id: number;
  key: number;
  bytes: number;
}

const unitsOf = ({ keys, bytes, units }: SplitTable, salt: number): Unit[] => {
  const found = new Map<number, Unit>();
  for (let i = 0; i < keys.length; i++) {
    if (bytes[i] === 0) continue;
    const key = scrambled(keys[i]!, salt);
    const unit = found.get(units[i]!);
    if (unit === undefined) found.set(units[i]!, { id: units[i]!, key, bytes: bytes[i]! });
    else {
      unit.key = Math.min(unit.key, key);
      unit.bytes += bytes[i]!;
    }
  }
  return Array.from(found.values()).sort((a, b) => a.key - b.key || a.id - b.id);
};

/**
 * Takes units in the order of their keys: all below the share, but none that is larger than the share alone;
 * where that gives less than half of it (a small corpus), more that fit; at least one.
 */
const take = (order: readonly Unit[], from: number, share: number, total: number): Set<Unit> => {
  const taken = new Set<Unit>();
  const room = share * total;
  const most = Math.min(2 * share, (1 + share) / 2) * total;
  let held = 0;
  const add = (unit: Unit, limit: number): void => {
    if (unit.bytes > room || held + unit.bytes > limit) return;
    taken.add(unit);
    held += unit.bytes;
  };
  for (const unit of order) {
    const at = unit.key / 2 ** 32;
    if (at >= from && at < from + share) add(unit, most);
  }
  if (held < room / 2) for (const unit of order) if (!taken.has(unit)) add(unit, room);
  if (taken.size === 0) taken.add(order.reduce((least, unit) => (unit.bytes < least.bytes ? unit : least)));
  return taken;
};

const checkShares = ({ validation, test }: SplitShares): void => {
  if (!(validation >= 0 && validation < 1)) {
    throw new ConfigError(`must be from 0 to below 1, not ${validation}`, { field: "data.validationShare" });
  }
  if (!(test >= 0 && validation + test < 1)) {
    const hint = "the shares of validation and test must leave some text to train on";
    throw new ConfigError(`must be from 0 to below 1, not ${test}`, { field: "data.testShare", hint });
  }
};

/** The part of each document. Throws DataError where there are too few units for the parts. */
export const splitOf = (table: SplitTable, shares: SplitShares, seed: number): Uint8Array => {
  const { stages = [] } = table;
  checkShares(shares);
  const order = unitsOf(table, saltOf(seed, "split"));
  const parts = 1 + Number(shares.validation > 0) + Number(shares.test > 0);
  if (order.length < parts) {
    const needs = ["training", "training and held-out", "training, validation and test"][parts - 1];
    const left = order.length === 1 ? "1 document" : `${order.length} documents`;
    throw new DataError(`${left} left: ${needs} text need one each${lossText(stages)}`, {
      hint: lossHint(stages) ?? "give more files, or one of more than 16 KB, which is cut at blank lines",
    });
  }
  const total = order.reduce((sum, { bytes }) => sum + bytes, 0);
  const none = new Set<Unit>();
  const validation = shares.validation > 0 ? take(order, 0, shares.validation, total) : none;
  const rest = order.filter((unit) => !validation.has(unit));
  const test = shares.test > 0 ? take(rest, shares.validation, shares.test, total) : none;
  const place = new Map<number, number>();
  for (const unit of validation) place.set(unit.id, VALIDATION);
  for (const unit of test) place.set(unit.id, TEST);
  const { bytes, units } = table;
  return Uint8Array.from(units, (unit, i) => (bytes[i] === 0 ? NOWHERE : (place.get(unit) ?? TRAIN)));
};
