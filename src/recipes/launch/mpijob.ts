/** A job of Kubeflow's MPI operator (https://github.com/kubeflow/mpi-operator, kubeflow.org/v2beta1). */
import { type LaunchPlan, launcherWords, leftBy, nodesOf, perNode, quoted, rankCommand } from "./plan.ts";

/** What the job runs in. */
export interface JobOptions {
  /** A container's image with Node, anneal, an sshd and the MPI. */
  readonly image: string;
  /** A claim of a volume that all pods share, mounted at /data, where the command runs. */
  readonly claim?: string | undefined;
}

const implementations = { openmpi: "OpenMPI", mpich: "MPICH" } as const;

/** The script of the launcher: started again after a failure, it goes on with what it left. */
const script = (plan: LaunchPlan): string => {
  // The operator says where the workers are.
  const launcher = launcherWords({ ...plan, hosts: [] }, { root: true, cores: plan.ranks });
  const words = rankCommand(plan).filter((word) => word !== "--resume");
  const run = [...launcher, "npx", "anneal", ...words].map(quoted).join(" ");
  return `resume=; if [ -e ${quoted(leftBy(plan))} ]; then resume=--resume; fi; exec ${run} $resume`;
};

/** The job, to be written as YAML. */
export const mpiJob = (plan: LaunchPlan, { image, claim }: JobOptions): object => {
  const [workers, slots] = [nodesOf(plan), perNode(plan)];
  const volume =
    claim === undefined ? {} : { volumes: [{ name: "data", persistentVolumeClaim: { claimName: claim } }] };
  const mount =
    claim === undefined ? {} : { workingDir: "/data", volumeMounts: [{ name: "data", mountPath: "/data" }] };
  const pod = (container: object) => ({
    template: { spec: { ...volume, containers: [{ image, ...mount, ...container }] } },
  });
  const cpu = slots * plan.cpus;
  return {
    apiVersion: "kubeflow.org/v2beta1",
    kind: "MPIJob",
    metadata: { name: "anneal" },
    spec: {
      slotsPerWorker: slots,
      mpiImplementation: implementations[plan.mpi],
      runPolicy: { cleanPodPolicy: "Running", backoffLimit: 3 },
      mpiReplicaSpecs: {
        Launcher: { replicas: 1, ...pod({ name: "launcher", command: ["sh", "-c", script(plan)] }) },
        Worker: {
          replicas: workers,
          ...pod({ name: "worker", command: ["/usr/sbin/sshd", "-De"], resources: { limits: { cpu } } }),
        },
      },
    },
  };
};
