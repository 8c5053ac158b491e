/** The flags of training on several ranks. */
import { InvalidArgumentError } from "commander";
import { row, type Section } from "./flag.ts";

const seconds = (word: string): number => {
  const value = Number(word);
  if (value >= 1 && Number.isFinite(value)) return value;
  throw new InvalidArgumentError("It must be at least 1.");
};

/** What is said of MPI, where mpirun or srun starts several processes of the command. */
export const ranks: Section = {
  title: "Ranks (MPI)",
  verbs: ["train", "finetune"],
  flags: [
    { flag: "--mpi-lib <file>", help: "the MPI library (default: found by its name)" },
    {
      flag: "--mpi-timeout <s>",
      help: "seconds that a rank may give no sign of life (default: 45)",
      parse: seconds,
    },
    row("--zero <n>", "train.zero", "what ranks share out: 1: the optimizer's state, 2: gradients, too"),
    row(
      "--pipeline",
      "train.pipeline",
      "ranks share out layers; micro-batches (--accumulate) pass through them",
    ),
    row(
      "--local-steps <n>",
      "train.localSteps",
      "updates of each rank before all meet; 0: they meet in each",
    ),
    row("--overlap <n>", "train.overlap", "of those, as many while what they give each other travels"),
    row("--outer-lr <x>", "train.outerLr", "learning rate by which they then go on"),
    row("--outer-momentum <x>", "train.outerMomentum", "its momentum"),
    row("--wire <type>", "train.wire", "how numbers travel between ranks"),
  ],
};
