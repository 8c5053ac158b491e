/** Addresses of a Redis as users write them, and what is shown of them. */
import { expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { redisAddress, shownAddress, withoutSecrets } from "./address.ts";

test("an address has defaults, a database, a name of the queue, and a password that may hold anything", () => {
  const plain = { host: "box", port: 6379, db: 0, tls: false, name: "sweep" };
  expect(redisAddress("redis://box")).toEqual(plain);
  expect(redisAddress("redis://box:7000/3#rates")).toEqual({ ...plain, port: 7000, db: 3, name: "rates" });
  expect(redisAddress("rediss://me:p%40ss%2Fword@box")).toEqual({
    ...{ ...plain, tls: true },
    ...{ username: "me", password: "p@ss/word" },
  });
  expect(redisAddress("redis://:only@[::1]:7000")).toMatchObject({ host: "::1", password: "only" });
  expect(shownAddress(redisAddress("redis://me:secret@[::1]:7000"))).toBe("[::1]:7000");
});

test("what is no address is refused, and nothing of it is shown", () => {
  const wrong = [
    ...["/a/folder", "http://me:secret@box", "redis://", "redis://me:secret@", "redis://me:secret@box:port"],
    ...["redis://me:secret@box/name", "redis://box?password=secret", "redis://me:secret@box#a%20b"],
    ...["redis://me:secr%et@box", "redis://me:secret@box#a:b"],
  ];
  for (const url of wrong) {
    let error: unknown;
    try {
      redisAddress(url);
    } catch (thrown) {
      error = thrown;
    }
    expect(error, url).toBeInstanceOf(ConfigError);
    expect(JSON.stringify([(error as ConfigError).message, (error as ConfigError).cause ?? ""])).not.toMatch(
      /secret|secr%et/,
    );
  }
});

test("a command is told without user and password", () => {
  expect(withoutSecrets("redis://me:secret@box:1/2#n")).toBe("redis://***@box:1/2#n");
  expect(withoutSecrets("--queue=rediss://:p@ss/w@box")).toBe("--queue=rediss://***@box");
  expect(withoutSecrets("redis://box:1")).toBe("redis://box:1");
});
