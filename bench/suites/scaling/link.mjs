// Two machines in one: network namespaces of their own, a pair of virtual interfaces between them whose bandwidth tc
// limits, and processes that do not see each other's. Needs root, ip and tc.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

/**
 * Lays the link; undefined, with a line that says why, where this machine does not allow it. The result starts MPI's
 * ranks, one on each side, and takes the link away again.
 */
export const link = ({ rate = "100mbit", log }) => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-link-"));
  try {
    take();
    for (const name of names) sh(`ip netns add ${name}`);
    sh(`ip link add ${device} netns ${names[0]} type veth peer name ${device} netns ${names[1]}`);
    for (const [i, name] of names.entries()) {
      const inside = `ip netns exec ${name}`;
      sh(`${inside} ip addr add ${addresses[i]}/24 dev ${device}`);
      sh(`${inside} ip link set lo up && ${inside} ip link set ${device} up`);
      sh(`${inside} tc qdisc add dev ${device} root tbf rate ${rate} burst 64kb latency 50ms`);
    }
  } catch (error) {
    log(`no link between namespaces: ${String(error.stderr ?? error.message).trim()}`);
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
    end() {
      take();
      rmSync(dir, { recursive: true, force: true });
    },
  };
};
