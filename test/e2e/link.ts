/**
 * Two machines in one: network namespaces with a cable between them that can be cut, which see none of each
 * other's processes. Needs root and ip.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const DEVICE = "cable0";
const addresses = ["10.78.0.1", "10.78.0.2"] as const;

/** The machines and their cable. */
export interface Link {
  /** Words before a launcher that runs on the first machine. */
  readonly inside: readonly string[];
  readonly addresses: typeof addresses;
  readonly device: string;
  /** What reaches the second as ssh does: AGENT HOST COMMAND... */
  readonly agent: string;
  cut(): void;
  /** Takes both away. */
  end(): void;
}

const ip = (...words: readonly string[]): void => {
  execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
};

/** Lays a link, with what it needs in `dir`; the reason why not, where this machine does not allow it. */
export const link = (dir: string): Link | string => {
  const [a, b] = ["a", "b"].map((side) => `anneal-${process.pid}-${side}`) as [string, string];
  const end = () => {
    for (const name of [a, b]) {
      try {
        ip("netns", "del", name);
      } catch {
        // It is not there.
      }
    }
  };
  try {
    for (const name of [a, b]) ip("netns", "add", name);
    ip("link", "add", DEVICE, "netns", a, "type", "veth", "peer", "name", DEVICE, "netns", b);
    for (const [i, name] of [a, b].entries()) {
      ip("-n", name, "addr", "add", `${addresses[i]}/24`, "dev", DEVICE);
      for (const device of ["lo", DEVICE]) ip("-n", name, "link", "set", device, "up");
    }
  } catch (error) {
    end();
    return `no link between namespaces: ${String((error as { stderr?: Buffer }).stderr ?? error).trim()}`;
  }
  const agent = join(dir, "agent");
  const other = `exec ip netns exec ${b} unshare --uts --pid --fork --mount-proc bash -c`;
  writeFileSync(
    agent,
    `#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done\nshift\n${other} "hostname machine-b; $*"\n`,
  );
  chmodSync(agent, 0o755);
  const named = ["unshare", "--uts", "bash", "-c", 'hostname machine-a; exec "$@"', "bash"];
  return {
    inside: ["ip", "netns", "exec", a, ...named],
    ...{ addresses, device: DEVICE, agent, end },
    cut: () => ip("-n", b, "link", "set", DEVICE, "down"),
  };
};
