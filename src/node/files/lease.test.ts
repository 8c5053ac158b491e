/** Leases: who has one, when it is taken for left, turns. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { leases } from "./lease.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-lease-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Puts a lock of another process in a folder. */
const placed = (name: string, owner: object): string => {
  const folder = join(dir, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "lock"), JSON.stringify({ id: name, ...owner }));
  return folder;
};

test("a lease is one process's until it gives it back, and is touched meanwhile", async () => {
  const [one, other] = [leases({ everyMs: 50 }), leases()];
  const folder = join(dir, "own");
  const lease = (await one.take(folder))!;
  expect(await other.take(folder)).toBeUndefined();
  expect(await other.isHeld(folder)).toBe(true);
  utimesSync(join(folder, "lock"), 1, 1);
  for (let i = 0; i < 150 && statSync(join(folder, "lock")).mtimeMs === 1000; i++) await sleep(100);
  expect(statSync(join(folder, "lock")).mtimeMs).toBeGreaterThan(1000);
  expect(await lease.isMine()).toBe(true);
  await lease();
  expect(existsSync(join(folder, "lock"))).toBe(false);
  expect(await other.isHeld(folder)).toBe(false);
  one.close();
}, 20_000);

test("one of a machine that cannot be asked is left when it has not been touched for long, by our clock", async () => {
  // Its clock is far from ours.
  const folder = placed("elsewhere", { pid: 1, host: "elsewhere" });
  utimesSync(join(folder, "lock"), 10, 10);
  const own = leases({ silentMs: 60 });
  expect(await own.take(folder)).toBeUndefined();
  await sleep(40);
  utimesSync(join(folder, "lock"), 20, 20);
  await sleep(40);
  expect(await own.take(folder)).toBeUndefined();
  await sleep(80);
  const lease = (await own.take(folder))!;
  expect(await lease.isMine()).toBe(true);
  // Whoever had it comes back: what it had is no longer its own.
  writeFileSync(join(folder, "lock"), JSON.stringify({ pid: 1, host: "elsewhere", id: "third" }));
  expect(await lease.isMine()).toBe(false);
  await lease();
  expect(existsSync(join(folder, "lock"))).toBe(true);
  own.close();
});

test("one of a process that is gone from this machine is taken at once", async () => {
  const folder = placed("dead", { pid: 2 ** 22 + 1, host: hostname() });
  const own = leases();
  expect(await own.isHeld(folder)).toBe(false);
  await (await own.take(folder))!();
  own.close();
});

test("turns follow each other, whoever takes them, and one that fails gives way", async () => {
  const folder = join(dir, "turns");
  let [inside, done] = [0, 0];
  const turn = async (i: number): Promise<void> => {
    expect(++inside).toBe(1);
    await sleep(3);
    inside--;
    done++;
    if (i === 2) throw new Error("of its own");
  };
  const all = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => leases().inTurn(folder, () => turn(i))),
  );
  expect(done).toBe(8);
  expect(all.filter(({ status }) => status === "rejected")).toHaveLength(1);
});
