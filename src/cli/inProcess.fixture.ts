/** The command line without a process of its own. */
import { main } from "./index.ts";

export interface EndedInProcess {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line in this process, in the folder `dir`, and returns what it wrote. */
export const inProcess = async (dir: string, argv: readonly string[]): Promise<EndedInProcess> => {
  const home = process.cwd();
  const write = { out: process.stdout.write, err: process.stderr.write };
  const text = { out: "", err: "" };
  const { NO_COLOR, FORCE_COLOR } = process.env;
  const catchInto = (key: "out" | "err") =>
    ((chunk: string) => {
      text[key] += chunk;
      return true;
    }) as typeof write.out;
  process.stdout.write = catchInto("out");
  process.stderr.write = catchInto("err");
  process.env.NO_COLOR = "1";
  process.chdir(dir);
  try {
    await main([...argv]);
    return { code: Number(process.exitCode ?? 0), ...text };
  } finally {
    process.chdir(home);
    Object.assign(process.stdout, { write: write.out });
    Object.assign(process.stderr, { write: write.err });
    for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error");
    process.exitCode = undefined;
    for (const [key, value] of Object.entries({ NO_COLOR, FORCE_COLOR })) {
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
    }
  }
};
