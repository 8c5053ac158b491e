/** The queue of a search: each job once, what a dead process was at, rest while something is timed. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { leases } from "../../node/files/lease.ts";
import type { Made } from "../../search/candidates/makers.ts";
import { joinQueue, openQueue, queueIn, type Taken } from "./queue.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-queue-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const made: Made = { stopped: false, rungs: [[Number.NaN, 2]], rows: [] };
const jobOf = (number: number) => ({ number, values: { layers: number }, leftMs: 1000 });
const dead = { pid: 2 ** 22 + 1, host: hostname(), id: "dead" };

test("two makers take each job once, and what became of it is told as it was", async () => {
  const run = join(dir, "two");
  const [mine, first, second] = [leases(), leases(), leases()];
  expect(await (await openQueue(run, mine)).count()).toBe(0);
  // Of those that were started, those that have not come yet count, too.
  const asking = await openQueue(run, mine, 1);
  expect(await asking.count()).toBe(1);
  const one = await joinQueue(run, first);
  expect(await asking.count()).toBe(1);
  for (const number of [0, 1, 2, 3]) await asking.offer(jobOf(number));
  const took: number[] = [];
  const work = async (taken: Taken): Promise<void> => {
    took.push(taken.job.number);
    await sleep(2);
    await taken.end(made);
  };
  for (let taken = await one.next(); taken !== undefined; taken = await one.next()) {
    // Another looks while this one is at it.
    const other = took.length === 0 ? await (await joinQueue(run, second)).next() : undefined;
    if (other !== undefined) expect(other.job.number).toBe(1);
    await Promise.all([work(taken), ...(other === undefined ? [] : [work(other)])]);
  }
  expect(took.sort()).toEqual([0, 1, 2, 3]);
  const ended = await asking.ended([0, 1, 2, 3, 9]);
  expect([...ended.keys()]).toEqual([0, 1, 2, 3]);
  expect(ended.get(3)).toEqual(made);
  await asking.end();
  expect(readdirSync(join(run, "search"))).toEqual([]);
  for (const each of [mine, first, second]) each.close();
});

test("what a dead process was at goes to the next, three times at most; what is at work is not taken back", async () => {
  const run = join(dir, "dead");
  const own = leases();
  const asking = await openQueue(run, own);
  await asking.offer(jobOf(0));
  const folder = join(queueIn(run), "jobs", "0");
  writeFileSync(join(folder, "lock"), JSON.stringify(dead));
  mkdirSync(join(queueIn(run), "makers", "x"), { recursive: true });
  writeFileSync(join(queueIn(run), "makers", "x", "lock"), JSON.stringify(dead));
  expect(await asking.count()).toBe(0);
  const maker = await joinQueue(run, own);
  const left = (await maker.next())!;
  expect(await asking.takeBack(0)).toBe(false);
  // Left on purpose, it counts for nothing; then processes end in it.
  await left.end(undefined);
  for (let i = 0; i < 3; i++) {
    expect((await maker.next())!.job).toEqual(jobOf(0));
    writeFileSync(join(folder, "lock"), JSON.stringify(dead));
  }
  expect(await maker.next()).toBeUndefined();
  expect((await asking.ended([0])).get(0)!.error).toBe(
    "the process ended in it 3 times, as where memory runs out",
  );
  await asking.offer(jobOf(1));
  expect(await asking.takeBack(1)).toBe(true);
  expect(await maker.next()).toBeUndefined();
  await asking.offer(jobOf(2));
  const dropped = (await maker.next())!;
  expect(dropped.isAsked()).toBe(true);
  await asking.close();
  expect(dropped.isAsked()).toBe(false);
  await dropped.end(made);
  expect((await asking.ended([2])).size).toBe(0);
  await asking.end();
  own.close();
});

test("what times something waits until makers of this machine rest, and they rest until it is done", async () => {
  const run = join(dir, "quiet");
  const [mine, other] = [leases(), leases()];
  const asking = await openQueue(run, mine);
  const maker = await joinQueue(run, other);
  await asking.offer(jobOf(0));
  const taken = (await maker.next())!;
  const order: string[] = [];
  const timing = asking.quietly(async () => {
    order.push("timing");
    await sleep(60);
    order.push("timed");
  });
  await sleep(60);
  order.push("a batch");
  await maker.rest();
  order.push("another batch");
  await timing;
  expect(order).toEqual(["a batch", "timing", "timed", "another batch"]);
  // Nobody computes once it has ended.
  await taken.end(made);
  expect(await maker.next()).toBeUndefined();
  expect(await asking.quietly(async () => "at once")).toBe("at once");
  await maker.leave();
  await asking.end();
  for (const each of [mine, other]) each.close();
});
