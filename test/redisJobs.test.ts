/** Jobs and files of a real Redis: who has them, what others wrote there, a server that comes back empty. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { redisAddress } from "../src/node/redis/address.ts";
import { connect } from "../src/node/redis/client.ts";
import { type Jobs, openJobs } from "../src/node/redis/jobs.ts";
import { keysOf } from "../src/node/redis/keys.ts";
import { DataError } from "../src/util/errors.ts";
import { missing, type RedisServer, startRedis } from "./e2e/redis.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-redis-jobs-"));
const why = missing();
let redis: RedisServer;
const opened: Jobs[] = [];
const open = async (name: string): Promise<Jobs> => {
  const jobs = await openJobs(redisAddress(`${redis.url}#${name}`));
  opened.push(jobs);
  return jobs;
};
beforeAll(async () => {
  if (why === "") redis = await startRedis();
});
afterAll(async () => {
  for (const jobs of opened) await jobs.close();
  await redis?.kill();
  rmSync(dir, { recursive: true, force: true });
});

const study = "3d4a6c1e-7f57-4f0b-9a55-0d8f2c1b6e77";
const other = "9b2f3c64-2d0f-4c4e-8a63-5a4b8ed2f3aa";

describe.skipIf(why !== "")("jobs in Redis", () => {
  test("a queue has one owner, a job one process; what another has taken is not ended by the first", async () => {
    const [a, b] = [await open("once"), await open("once")];
    expect([await a.own(study), await b.own(other), await a.own(study)]).toEqual([true, false, true]);
    await a.arrive(study);
    await b.arrive();
    expect(await a.present()).toBe(2);
    for (let i = 0; i < 2; i++) await a.add("one", () => ({ i }));
    const taken = (await b.take())!;
    expect([taken.id, taken.data, taken.stalls]).toEqual(["one", { i: 0 }, 0]);
    expect(await a.take()).toBeUndefined();
    expect(await taken.leave()).toBe(true);
    const again = (await a.take())!;
    expect(await taken.end({ by: "b" })).toBe(false);
    expect(await again.end({ by: "a" })).toBe(true);
    expect(await a.ended()).toEqual([{ id: "one", result: { by: "a" } }]);
    await a.forget("one");
    expect(await a.ended()).toEqual([]);
    await b.close();
    expect(await a.present()).toBe(1);
    await a.close(study);
    const after = await open("once");
    expect(await after.isOver(study)).toBe(true);
    expect(await after.own(other)).toBe(true);
  });

  test("files arrive as they were sent; what is torn, changed or named otherwise does not", async () => {
    const jobs = await open("files");
    const from = join(dir, "from");
    mkdirSync(join(from, "model", "onnx"), { recursive: true });
    const weights = Buffer.from(Array.from({ length: 3 * 2 ** 20 + 5 }, (_, i) => (i * 31) % 251));
    writeFileSync(join(from, "model", "onnx", "model.onnx"), weights);
    writeFileSync(join(from, "model", "config.json"), "{}");
    writeFileSync(join(from, "model", "empty.txt"), "");
    writeFileSync(join(from, "options.json"), "not sent");
    const sent = (await jobs.send("t", from))!;
    expect(sent.map(({ name }) => name)).toEqual([
      ...["model/config.json", "model/empty.txt", "model/onnx/model.onnx"],
    ]);
    await jobs.fetch("t", sent, join(dir, "to"));
    expect(readFileSync(join(dir, "to", "model", "onnx", "model.onnx")).equals(weights)).toBe(true);
    const evil = sent.map((file) => ({ ...file, name: "../evil" }));
    await expect(jobs.fetch("t", evil, join(dir, "no"))).rejects.toThrow(DataError);
    const { redis: raw, close } = await connect(redisAddress(`${redis.url}#files`));
    const key = (piece: number): string => `${keysOf({ name: "files" }).files("t")}:2:${piece}`;
    expect(Number(await raw.call("PTTL", key(0)))).toBeGreaterThan(60_000);
    await raw.call("SETRANGE", key(1), 7, "changed");
    await expect(jobs.fetch("t", sent, join(dir, "changed"))).rejects.toThrow(/did not arrive whole/);
    await raw.call("DEL", key(3));
    await expect(jobs.fetch("t", sent, join(dir, "torn"))).rejects.toThrow(/did not arrive whole/);
    await jobs.drop("t", sent);
    expect(await raw.call("KEYS", "*:t:*")).toEqual([]);
    close();
  });

  test("a server that comes back empty is filled again; what one was at by it is lost to it", async () => {
    const own = await startRedis();
    const jobs = await openJobs(redisAddress(own.url));
    await jobs.own(study);
    await jobs.arrive(study);
    await jobs.add("one", () => 1);
    const taken = (await jobs.take())!;
    await own.kill();
    const back = await startRedis(undefined, own.port);
    await jobs.add("one", () => 2);
    while (!taken.lost.aborted) await sleep(50);
    expect(await taken.end(1)).toBe(false);
    expect(jobs.lost.aborted).toBe(false);
    expect((await jobs.take())!.data).toBe(2);
    await jobs.close(study);
    await back.kill();
  });
});
