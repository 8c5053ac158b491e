/** What the launchers are told: the line of mpirun, a script that bash reads, a job of the operator's shape. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { launcherIn, threadsOf } from "../src/node/mpi/launcher.ts";
import { annealHere as anneal } from "./e2e/command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-launch-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const train = ["--", "train", "--data", "my book.txt", "--out", "novel", "--resume"];
const launch = (...words: string[]) => anneal(["launch", ...words, ...train]);

test("prints the line of either launcher", async () => {
  const one = await launch("--ranks", "3", "--hosts", "a,b", "--cpus", "4", "--dry-run");
  expect(one.code, one.stderr).toBe(0);
  expect(one.stdout).toMatch(
    /^mpirun -n 3 --host a:2,b:1 --bind-to none --mca oob_tcp_keepalive_time 10 .*npx anneal train --data 'my book.txt' .*--threads 4\n$/,
  );
  const other = await launch("--ranks", "4", "--hosts", "a,b", "--mpi", "mpich", "--dry-run");
  expect(other.stdout).toBe(
    "mpiexec -n 4 -hosts a,b -ppn 2 npx anneal train --data 'my book.txt' --out novel --resume\n",
  );
});

test("a Slurm script that bash reads, which goes on where it was", async () => {
  const file = join(dir, "job.sh");
  expect((await launch("--ranks", "8", "--nodes", "2", "--cpus", "2", "--slurm", file)).code).toBe(0);
  execFileSync("bash", ["-n", file]);
  const text = readFileSync(file, "utf8");
  const said = Object.fromEntries(
    Array.from(text.matchAll(/^#SBATCH --([\w-]+)=?(.*)$/gm), ([, k, v]) => [k, v]),
  );
  expect(said).toMatchObject({ nodes: "2", ntasks: "8", "ntasks-per-node": "4", "cpus-per-task": "2" });
  expect(text).toMatch(
    /^srun --mpi=pmix .*npx anneal train --data 'my book.txt' --out novel --threads 2 "\$\{resume/m,
  );
  // As the script runs: with a checkpoint, and without.
  const shim = `srun() { printf '%s\\n' "$@"; }\n`;
  const run = (): string => execFileSync("bash", ["-c", shim + text], { cwd: dir, encoding: "utf8" });
  expect(run()).not.toContain("--resume");
  execFileSync("mkdir", ["-p", join(dir, "novel/run/checkpoints/latest")]);
  expect(run().trim().split("\n").at(-1)).toBe("--resume");
  const sweep = join(dir, "sweep.sh");
  await anneal(["launch", "--ranks", "2", "--slurm", sweep, "--", "sweep", "--data", "d.txt", "--out", "s"]);
  expect(readFileSync(sweep, "utf8")).toContain("if [ -e s/study.json ]; then resume=(--resume); fi");
});

const pod = (name: string) =>
  z.strictObject({
    replicas: z.int().min(1),
    template: z.strictObject({
      spec: z.strictObject({
        volumes: z.array(
          z.strictObject({
            name: z.string(),
            persistentVolumeClaim: z.strictObject({ claimName: z.string() }),
          }),
        ),
        containers: z.tuple([
          z.strictObject({
            name: z.literal(name),
            image: z.string(),
            command: z.array(z.string()).min(1),
            workingDir: z.string(),
            volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
            resources: z.strictObject({ limits: z.strictObject({ cpu: z.int() }) }).optional(),
          }),
        ]),
      }),
    }),
  });

/** What is used of the operator's v2beta1: manifests/base/kubeflow.org_mpijobs.yaml. */
const mpiJob = z.strictObject({
  apiVersion: z.literal("kubeflow.org/v2beta1"),
  kind: z.literal("MPIJob"),
  metadata: z.strictObject({ name: z.string().regex(/^[a-z][a-z0-9-]*$/) }),
  spec: z.strictObject({
    slotsPerWorker: z.int().min(1),
    mpiImplementation: z.enum(["OpenMPI", "Intel", "MPICH"]),
    runPolicy: z.strictObject({ cleanPodPolicy: z.enum(["None", "Running", "All"]), backoffLimit: z.int() }),
    mpiReplicaSpecs: z.strictObject({ Launcher: pod("launcher"), Worker: pod("worker") }),
  }),
});

test("a job of Kubeflow's operator", async () => {
  const file = join(dir, "job.yaml");
  const made = await launch(
    "--ranks",
    "8",
    "--nodes",
    "2",
    "--mpijob",
    file,
    "--image",
    "x/y:1",
    "--claim",
    "data",
  );
  expect(made.code, made.stderr).toBe(0);
  const { spec } = mpiJob.parse(parse(readFileSync(file, "utf8")));
  const { Launcher, Worker } = spec.mpiReplicaSpecs;
  expect([spec.slotsPerWorker, Worker.replicas, Launcher.replicas]).toEqual([4, 2, 1]);
  const [sh, flag, script] = Launcher.template.spec.containers[0].command;
  expect([sh, flag]).toEqual(["sh", "-c"]);
  execFileSync("sh", ["-n", "-c", script!]);
  expect(script).toContain("exec mpirun -n 8 --bind-to none --allow-run-as-root npx anneal train");
});

test("what cannot be started is refused", async () => {
  const file = join(dir, "no.yaml");
  const codes: [string[], RegExp][] = [
    [["launch", "--ranks", "2", "--", "eval", "m"], /eval does not share its work among ranks/],
    [["launch", "--ranks", "1", "--hosts", "a,b", ...train], /2 machines are more than 1 ranks/],
    [["launch", "--ranks", "2", "--hosts", "a,b;c", ...train], /"b;c" names no machine/],
    [["launch", "--ranks", "2", "--mpijob", file, ...train], /"image": is not given/],
  ];
  for (const [words, message] of codes) {
    const { code, stderr } = await anneal(words);
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
  }
  expect(existsSync(file)).toBe(false);
});

test("the launcher is known by its environment", () => {
  const open = { OMPI_COMM_WORLD_RANK: "3", OMPI_COMM_WORLD_SIZE: "8", OMPI_COMM_WORLD_LOCAL_SIZE: "4" };
  expect(launcherIn(open)).toEqual({ by: "mpirun of Open MPI", rank: 3, size: 8, local: 4 });
  const hydra = { PMI_RANK: "1", PMI_SIZE: "2", MPI_LOCALNRANKS: "2" };
  expect(launcherIn(hydra)).toEqual({ by: "mpiexec of MPICH", rank: 1, size: 2, local: 2 });
  const slurm = { SLURM_PROCID: "5", SLURM_NTASKS: "8", SLURM_STEP_TASKS_PER_NODE: "4(x2)" };
  expect(launcherIn({ ...slurm, PMI_RANK: "5", PMI_SIZE: "8" })).toEqual({
    by: "srun",
    rank: 5,
    size: 8,
    local: 4,
  });
  expect(launcherIn({ ...slurm, PMIX_RANK: "5" })).toEqual({ by: "srun", rank: 5, size: 8, local: 4 });
  // A batch script's own shell, and a process without any launcher.
  expect(launcherIn(slurm)).toBeUndefined();
  expect(launcherIn({})).toBeUndefined();
  expect(launcherIn({ PMI_RANK: "x", PMI_SIZE: "2" })).toBeUndefined();
  const among = launcherIn(open)!;
  expect(threadsOf(among, { cores: 32, usable: 32 })).toBe(8);
  expect(threadsOf(among, { cores: 32, usable: 1 })).toBe(1);
  expect(threadsOf(among, { cores: 2, usable: 2 })).toBe(1);
});
