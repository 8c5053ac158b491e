/** A search over a real Redis: what comes to its owner, what does not, who rests, what is refused. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { leases } from "../src/node/files/lease.ts";
import { redisAddress } from "../src/node/redis/address.ts";
import { connect } from "../src/node/redis/client.ts";
import { openJobs } from "../src/node/redis/jobs.ts";
import { keysOf } from "../src/node/redis/keys.ts";
import { silent } from "../src/recipes/context/ui.ts";
import type { Joined } from "../src/recipes/optimize/joined.ts";
import { modelOf } from "../src/recipes/optimize/optimize.fixture.ts";
import type { Asking, Taken } from "../src/recipes/optimize/queue.ts";
import { quietPlace } from "../src/recipes/optimize/redis/place.ts";
import { joinByRedis, ownByRedis } from "../src/recipes/optimize/redis/redis.ts";
import { baseIn, densesIn } from "../src/recipes/optimize/store.ts";
import { jobOf } from "../src/recipes/redis/messages.ts";
import { studyIn } from "../src/recipes/redis/study.ts";
import type { Made } from "../src/search/candidates/makers.ts";
import { baseKey } from "../src/search/candidates/space.ts";
import type { Space } from "../src/search/space/space.ts";
import type { Trial } from "../src/search/trial.ts";
import { missing, type RedisServer, startRedis } from "./e2e/redis.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-redis-search-"));
const why = missing();
let redis: RedisServer;
const own = leases();
beforeAll(async () => {
  if (why === "") redis = await startRedis();
});
afterAll(async () => {
  own.close();
  await redis?.kill();
  rmSync(dir, { recursive: true, force: true });
});

const whole = modelOf(1);
const kept = { model: whole, rungs: [[0.5, 3]] };
const space: Space = { layers: { kind: "integer", low: 1, high: 8 } };
const made: Made = { stopped: false, rungs: [[Number.NaN, 2]], rows: [{ step: 1, loss: Number.NaN }] };
const jobFor = (number: number) => ({ number, values: { layers: number + 1 } });

/** A search of a name, with its owner. */
const owned = async (name: string, trials: readonly Trial[] = []) => {
  const at = join(dir, name);
  const warned: string[] = [];
  const ui = { ...silent, warn: (text: string): void => void warned.push(text) };
  const url = `${redis.url}#${name}`;
  const by = (material: object) => ({ url, material: () => Promise.resolve(material) });
  const given = { identity: { seed: 1 }, dir: at, leases: own, started: 0, trials: () => trials, ui };
  const owner = await ownByRedis(by({ version: "1" }), given);
  const joins = (identity: object = { seed: 1 }): Promise<Joined> =>
    joinByRedis(by({ version: "1" }), { identity, whole, space, signal: undefined, ui: silent });
  return { owner, at, warned, url, by, given, joins };
};

const next = async ({ maker }: Joined): Promise<Taken> => {
  for (;;) {
    const taken = await maker.next();
    if (taken !== undefined) return taken;
  }
};
const endOf = async (owner: Asking, number: number): Promise<Made> => {
  for (;;) {
    const found = (await owner.ended([number])).get(number);
    if (found !== undefined) return found;
    await sleep(20);
  }
};

describe.skipIf(why !== "")("a search over Redis", () => {
  test("models come to where the owner looks for them; who joins learns what became of others", async () => {
    const trial: Trial = {
      ...{ number: 9, values: { layers: 2 }, state: "complete" },
      ...{ objectives: [Number.POSITIVE_INFINITY], rungs: [[1, 2]] },
    };
    const { owner, at, joins, warned } = await owned("comes", [trial]);
    expect(await owner.count()).toBe(0);
    const joined = await joins();
    expect(await owner.count()).toBe(1);
    for (const number of [0, 1, 2]) await owner.offer(jobFor(number));
    const taken = await next(joined);
    expect(taken.job).toEqual(jobFor(0));
    expect(joined.store.trials()).toEqual([trial]);
    const key = baseKey(taken.job.values);
    await joined.store.keep(key, kept);
    expect(await owner.takeBack(0)).toBe(false);
    await taken.end(made);
    expect(await endOf(owner, 0)).toEqual(made);
    const { keep } = densesIn(`${at}-own`, whole);
    await keep(key, kept);
    const [came, here] = [baseIn(at, key), baseIn(`${at}-own`, key)];
    expect(readdirSync(came).sort()).toEqual(readdirSync(here).sort());
    for (const name of readdirSync(here)) {
      expect(readFileSync(join(came, name)).equals(readFileSync(join(here, name))), name).toBe(true);
    }
    // What was given up has no model; what was left is another's, or is taken back.
    const stopped = await next(joined);
    await stopped.end({ ...made, stopped: true });
    expect(await endOf(owner, 1)).toEqual({ ...made, stopped: true });
    const left = await next(joined);
    await left.end(undefined);
    expect(await owner.takeBack(2)).toBe(true);
    expect(await joined.maker.next()).toBeUndefined();
    await joined.leave();
    expect(await owner.count()).toBe(0);
    await owner.end();
    expect(warned).toEqual([]);
    expect(readdirSync(at).sort()).toEqual(["bases", "queue.json"]);
  });

  test("what does not come whole, or is none of what was asked for, the owner makes", async () => {
    const { owner, at, joins, warned, url } = await owned("torn");
    const joined = await joins();
    const study = (await studyIn(at))!;
    const { redis: raw, close } = await connect(redisAddress(url));
    const rewrite = async (number: number, change: (text: string) => string): Promise<void> => {
      const key = `anneal:torn:${jobOf(study, number)}`;
      const text = String(await raw.call("HGET", key, "returnvalue"));
      await raw.call("HSET", key, "returnvalue", change(text));
    };
    const unmade = { stopped: false, rungs: [], rows: [] };
    const spoil: ((number: number) => Promise<unknown>)[] = [
      (number) => raw.call("SETRANGE", `${keysOf({ name: "torn" }).files(jobOf(study, number))}:1:0`, 9, "x"),
      (number) => rewrite(number, (text) => text.replace("model.safetensors", "../evil.json")),
      (number) => rewrite(number, (text) => text.replace(/"made":"/, '"made":"no')),
      (number) => rewrite(number, (text) => text.replace(/,"files":\[.*\]/, "")),
    ];
    for (const [number, spoiling] of spoil.entries()) {
      await owner.offer(jobFor(number));
      const taken = await next(joined);
      await joined.store.keep(baseKey(taken.job.values), kept);
      // The owner looks at nothing while it times something.
      const timed = owner.quietly(async () => {
        await taken.end(made);
        await spoiling(number);
      });
      await Promise.all([timed, sleep(100).then(() => joined.maker.rest())]);
      expect(await endOf(owner, number)).toEqual(unmade);
      expect(existsSync(baseIn(at, baseKey(taken.job.values)))).toBe(false);
    }
    expect(warned).toEqual([
      "the model of trial 0 did not come whole by Redis: it is made here",
      "the model of trial 1 could not be read as it came by Redis: it is made here",
      "the model of trial 2 could not be read as it came by Redis: it is made here",
      "the model of trial 3 was not sent by Redis: it is made here",
    ]);
    close();
    await joined.leave();
    await owner.end();
    expect(existsSync(quietPlace(study))).toBe(false);
  });

  test("one that has another search is refused; so is a second owner, and what is no job", async () => {
    const { owner, at, joins, given, by, url } = await owned("wrong");
    await expect(joins({ seed: 2 })).rejects.toMatchObject({ details: { field: "seed" } });
    const second = ownByRedis(by({ version: "1" }), { ...given, dir: join(dir, "second") });
    await expect(second).rejects.toThrow(/another search's/);
    const joined = await joins();
    const study = (await studyIn(at))!;
    const other = await openJobs(redisAddress(url));
    for (const [id, job] of [
      [jobOf(study, 5), jobFor(4)],
      [jobOf(study, 6), { number: 6, values: { layers: 99 } }],
      ["else", "text"],
    ] as const) {
      await other.add(id, () => JSON.stringify(job));
      await expect(next(joined)).rejects.toThrow(/no job of this search/);
    }
    await other.close();
    await joined.leave();
    await owner.end();
  });

  test("three processes that end in a job end it; the others leave with their owner", async () => {
    const { owner, at, joins, url } = await owned("ends");
    const joined = await joins();
    await owner.offer(jobFor(0));
    const { redis: raw, close } = await connect(redisAddress(url));
    await raw.call("HSET", `anneal:ends:${jobOf((await studyIn(at))!, 0)}`, "stc", 3);
    expect(await joined.maker.next()).toBeUndefined();
    expect((await endOf(owner, 0)).error).toMatch(/ended in it 3 times/);
    await owner.offer(jobFor(1));
    const taken = await next(joined);
    expect(taken.isAsked()).toBe(true);
    await owner.close();
    while (taken.isAsked()) await sleep(50);
    expect(joined.gone.aborted).toBe(false);
    await taken.end(made);
    expect((await owner.ended([1])).size).toBe(0);
    await owner.end();
    while (!joined.gone.aborted) await sleep(50);
    expect(await joined.isThere()).toBe(false);
    await joined.leave();
    close();
  });

  test("makers of this machine rest while the owner times something", async () => {
    const { owner, joins } = await owned("rests");
    const joined = await joins();
    await owner.offer(jobFor(0));
    const taken = await next(joined);
    const order: string[] = [];
    const timing = owner.quietly(async () => {
      order.push("timing");
      await sleep(60);
      order.push("timed");
    });
    await sleep(60);
    order.push("a batch");
    await joined.maker.rest();
    order.push("another batch");
    await timing;
    expect(order).toEqual(["a batch", "timing", "timed", "another batch"]);
    await taken.end(undefined);
    await joined.leave();
    await owner.end();
  });
});
