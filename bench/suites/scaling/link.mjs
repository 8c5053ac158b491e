// Two machines in one: network namespaces of their own, a pair of virtual interfaces between them whose bandwidth tc
// limits, and processes that do not see each other's. Needs root, ip and tc; to lose packets a C compiler, for kernels lack
// what would.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const names = ["anneal-a", "anneal-b"];
const addresses = ["10.77.0.1", "10.77.0.2"];
const device = "anneal0";

const sh = (line) =>
  execFileSync("bash", ["-c", line], { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });

const take = () => {
  for (const name of names) {
    try {
      sh(`ip netns del ${name}`);
    } catch {
      // It is not there.
    }
  }
};

/** A program between the two sides that loses some of the packets; resolves when it is there. */
const relayed = async (dir, lost) => {
  const program = join(dir, "relay");
  const source = fileURLToPath(new URL("relay.c", import.meta.url));
  execFileSync("cc", ["-O2", "-o", program, source], { stdio: ["ignore", "ignore", "pipe"] });
  const spaces = names.map((name) => `/var/run/netns/${name}`);
  const relay = spawn(program, [...spaces, device, String(Math.round(lost * 1000))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((done, fail) => {
    relay.stdout.once("data", done);
    relay.once("exit", () => fail(new Error("no device that a program stands behind")));
    relay.once("error", fail);
  });
  return relay;
};

/**
 * Lays the link, of whose packets a share `lost` is lost; undefined, with a line that says why, where this machine does not allow it. The result starts MPI's
 * ranks, one on each side, and takes the link away again.
 */
export const link = async ({ rate = "100mbit", lost = 0, log }) => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-link-"));
  let relay;
  try {
    take();
    for (const name of names) sh(`ip netns add ${name}`);
    if (lost > 0) relay = await relayed(dir, lost);
    else sh(`ip link add ${device} netns ${names[0]} type veth peer name ${device} netns ${names[1]}`);
    for (const [i, name] of names.entries()) {
      const inside = `ip netns exec ${name}`;
      sh(`${inside} ip addr add ${addresses[i]}/24 dev ${device}`);
      sh(`${inside} ip link set lo up && ${inside} ip link set ${device} up`);
      sh(`${inside} tc qdisc add dev ${device} root tbf rate ${rate} burst 64kb latency 50ms`);
    }
  } catch (error) {
    log(`no link between namespaces: ${String(error.stderr ?? error.message).trim()}`);
    relay?.stdin.end();
    rmSync(dir, { recursive: true, force: true });
    return undefined;
  }
  // mpirun reaches the other machine by what it takes for ssh: AGENT HOST COMMAND...
  const agent = join(dir, "agent");
  const other = `exec ip netns exec ${names[1]} unshare --uts --pid --fork --mount-proc bash -c`;
  writeFileSync(agent, `#!/bin/bash\nshift\n${other} "hostname anneal-b; $*"\n`);
  chmodSync(agent, 0o755);
  const words = [
    ...["ip", "netns", "exec", names[0], "unshare", "--uts", "bash", "-c"],
    ...['hostname anneal-a; exec "$@"', "bash"],
    ...["mpirun.openmpi", "-q", "--allow-run-as-root", "--bind-to", "none"],
    ...["--host", addresses.map((address) => `${address}:1`).join()],
    ...["--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self", "--mca", "pml", "ob1"],
    ...["--mca", "btl_tcp_if_include", device, "--mca", "oob_tcp_if_include", device],
  ];
  return {
    words,
    /** TCP segments that one side has sent again so far. */
    resent() {
      const [heads, counts] = sh(`ip netns exec ${names[0]} grep ^Tcp: /proc/net/snmp`).trim().split("\n");
      return Number(counts.split(" ")[heads.split(" ").indexOf("RetransSegs")]);
    },
    end() {
      relay?.stdin.end();
      take();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
