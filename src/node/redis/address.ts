/**
 * Where a queue in Redis is: redis://USER:PASSWORD@HOST:PORT/DB#NAME, by TLS as rediss://. What is shown of
 * it holds neither user nor password.
 */
import { ConfigError } from "../../util/errors.ts";

/** A Redis, and the name of a queue in it. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly tls: boolean;
  readonly username?: string;
  readonly password?: string;
  /** Of the queue: searches of several names are apart in one database. */
  readonly name: string;
}

const PORT = 6379;
const HINT =
  "write it as redis://HOST:6379, or redis://HOST:6379/DB#NAME; user and password are best told by " +
  "ANNEAL_REDIS_URL=redis://USER:PASSWORD@HOST:6379 with --queue redis";

/**
 * The address that a URL says; `usual` is the queue's name where it says none. Throws ConfigError for one
 * that cannot be, and shows nothing of it.
 */
export const redisAddress = (text: string, usual = "sweep"): RedisAddress => {
  const refuse = (what: string): never => {
    throw new ConfigError(what, { field: "queue", hint: HINT });
  };
  if (!/^rediss?:\/\//i.test(text)) refuse("is no address of a Redis");
  try {
    const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text);
    const db = /^\/?(\d{0,6})$/.exec(pathname)?.[1] ?? refuse("names no database by its number");
    const name = decodeURIComponent(hash.slice(1)) || usual;
    if (hostname === "") refuse("names no host");
    if (search !== "") refuse("has settings behind ?, which are not read");
    if (!/^[\w.-]{1,64}$/.test(name)) refuse("names a queue by other than letters, digits, . _ and -");
    return {
      ...{ host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port || PORT), db: Number(db), name },
      tls: protocol === "rediss:",
      ...(username === "" ? {} : { username: decodeURIComponent(username) }),
      ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    return refuse("is no address of a Redis that can be read");
  }
};

/** How an address is told: by host and port alone. */
export const shownAddress = ({ host, port }: Pick<RedisAddress, "host" | "port">): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** A text without the user and password of an address of a Redis in it. */
export const withoutSecrets = (text: string): string =>
  text.replace(/(rediss?:\/\/)\S*@/gi, (_, scheme: string) => `${scheme}***@`);
