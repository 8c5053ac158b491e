/**
 * A connection to Redis, by ioredis, with BullMQ upon it. Both are loaded only here, where a queue in Redis
 * is asked for. A connection that was lost is sought again for half a minute.
 */
import { pathToFileURL } from "node:url";
import { AnnealError, ConfigError, MissingError, RunError } from "../../util/errors.ts";
import { optionalPath } from "../files/optional.ts";
import { type RedisAddress, shownAddress } from "./address.ts";

/** What is used of a client of ioredis. */
export interface Redis {
  connect(): Promise<void>;
  call(command: string, ...args: readonly (string | number | Buffer)[]): Promise<unknown>;
  callBuffer(command: string, ...args: readonly (string | number)[]): Promise<Buffer>;
  on(event: "ready" | "end" | "error", listener: (error: Error) => void): unknown;
  disconnect(): void;
}

/** What is used of a job of BullMQ. */
export interface BullJob {
  readonly id: string;
  readonly data: unknown;
  readonly returnvalue: unknown;
  readonly stalledCounter: number;
  extendLock(token: string, ms: number): Promise<number>;
  moveToCompleted(result: unknown, token: string, fetchNext: false): Promise<unknown>;
  moveToWait(token: string): Promise<unknown>;
  remove(): Promise<void>;
}

/** What is used of a queue of BullMQ. */
export interface BullQueue {
  add(name: string, data: unknown, options: { readonly jobId: string }): Promise<unknown>;
  getCompleted(start: number, end: number): Promise<readonly (BullJob | undefined)[]>;
  /** The key of a job. */
  toKey(id: string): string;
  getJob(id: string): Promise<BullJob | undefined>;
  obliterate(options: { readonly force: true }): Promise<void>;
  on(event: "error", listener: () => void): unknown;
  close(): Promise<void>;
}

/** What is used of a worker of BullMQ that fetches its jobs itself. */
export interface BullWorker {
  getNextJob(token: string, options: { readonly block: false }): Promise<BullJob | undefined>;
  startStalledCheckTimer(): Promise<void>;
  on(event: "error", listener: () => void): unknown;
  close(force: true): Promise<void>;
}

interface Shared {
  readonly connection: Redis;
  readonly prefix: string;
}
interface WorkerSettings extends Shared {
  readonly autorun: false;
  readonly lockDuration: number;
  readonly stalledInterval: number;
  readonly maxStalledCount: number;
}

/** What is used of BullMQ. */
export interface Bull {
  readonly Queue: new (name: string, options: Shared) => BullQueue;
  readonly Worker: new (name: string, processor: null, options: WorkerSettings) => BullWorker;
}

interface Settings {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls?: Readonly<Record<string, never>>;
  readonly lazyConnect: true;
  readonly maxRetriesPerRequest: null;
  readonly connectTimeout: number;
  readonly retryStrategy: () => number | null;
}
type RedisClass = new (settings: Settings) => Redis;

const load = async <T>(name: string): Promise<T> => {
  try {
    const { default: loaded } = await import(pathToFileURL(optionalPath(name)).href);
    return loaded as T;
  } catch (cause) {
    throw new MissingError(`${name} is not installed, by which a queue in Redis is reached`, {
      cause,
      hint: "npm install bullmq ioredis",
    });
  }
};

/** Milliseconds in which a server has to answer, between two tries, and for which a lost one is sought. */
const [ANSWERS, AGAIN, PATIENCE] = [10_000, 500, 30_000];

/** The code of what a server or the system refuses by: text of a server's is told no further. */
const codeOf = ({ message, code }: Error & { readonly code?: unknown }): string | undefined =>
  typeof code === "string" ? code : /^(?:ERR |[^A-Z]*)?([A-Z]{3,20})\b/.exec(message)?.[1];

const refusals = new Set(["NOAUTH", "WRONGPASS", "NOPERM", "AUTH"]);

/** An error of Redis as one that says which, and what to do. */
export const redisError = (address: RedisAddress, error: Error): AnnealError => {
  if (error instanceof AnnealError) return error;
  const [at, code] = [shownAddress(address), codeOf(error)];
  if (code !== undefined && refusals.has(code)) {
    return new ConfigError(`Redis at ${at} refuses this user and password (${code})`, {
      field: "queue",
      hint: "set ANNEAL_REDIS_URL=redis://USER:PASSWORD@HOST:PORT, and give --queue redis",
    });
  }
  const said = code === undefined ? "" : ` (${code})`;
  return new RunError(`Redis at ${at} does not do what is asked${said}`, {
    hint: "see that it is Redis 6.2 or newer, can be written to, and has memory left (noeviction)",
  });
};

/** That a connection is lost for good. */
export const lostRedis = (address: RedisAddress): RunError =>
  new RunError(`Redis at ${shownAddress(address)} has gone away`, {
    hint: "start it again, then go on by --resume (others: --join); what trials had come to is kept",
  });

/** A connection, and that it is lost. */
export interface Connection {
  readonly redis: Redis;
  /** Its reason is a RunError. */
  readonly lost: AbortSignal;
  close(): void;
}

/**
 * Connects. Throws MissingError where ioredis is not installed or no server answers, ConfigError where it
 * refuses user and password.
 */
export const connect = async (address: RedisAddress): Promise<Connection> => {
  const { host, port, db, tls, username, password } = address;
  const Client = await load<RedisClass>("ioredis");
  const controller = new AbortController();
  let [isOpen, isClosed, since, last] = [false, false, 0, undefined as Error | undefined];
  const redis = new Client({
    ...{ host, port, db, lazyConnect: true, maxRetriesPerRequest: null, connectTimeout: ANSWERS },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: {} } : {}),
    retryStrategy: () => {
      since ||= performance.now();
      return isOpen && !isClosed && performance.now() - since < PATIENCE ? AGAIN : null;
    },
  });
  redis.on("error", (error) => {
    last = error;
  });
  redis.on("ready", () => {
    since = 0;
  });
  redis.on("end", () => {
    if (isOpen && !isClosed) controller.abort(lostRedis(address));
  });
  const close = (): void => {
    isClosed = true;
    redis.disconnect();
  };
  try {
    await redis.connect();
    await redis.call("PING");
    isOpen = true;
  } catch (error) {
    close();
    throw unreached(address, last ?? (error as Error));
  }
  return { redis, lost: controller.signal, close };
};

const unreached = (address: RedisAddress, error: Error): AnnealError => {
  const code = codeOf(error);
  if (code !== undefined && refusals.has(code)) return redisError(address, error);
  const said = code === undefined ? "" : ` (${code})`;
  const hint = /CERT|SELF_SIGNED|ISSUER/.test(error.message + code)
    ? "name the certificate of who signed its own in NODE_EXTRA_CA_CERTS"
    : "start redis-server there, or name another by --queue redis://HOST:PORT (rediss:// where it wants TLS)";
  return new MissingError(`no Redis answers at ${shownAddress(address)}${said}`, { hint });
};

/** BullMQ. Throws MissingError where it is not installed. */
export const loadBull = (): Promise<Bull> => load<Bull>("bullmq");
