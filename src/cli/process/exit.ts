/** Exit codes: what a script or a Kubernetes failure policy can branch on. */
import { CommanderError } from "commander";
import {
  BudgetError,
  BusyError,
  CheckpointError,
  ConfigError,
  DataError,
  FormatError,
  MissingError,
  ShapeError,
} from "../../util/errors.ts";

/** The user stopped the run by SIGINT (130) or SIGTERM (143). */
export class Interrupted extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super("interrupted");
    this.name = "AbortError";
    this.exitCode = exitCode;
  }
}

const codes: readonly (readonly [new (message: string) => Error, number])[] = [
  [ConfigError, 2],
  [ShapeError, 2],
  [DataError, 3],
  [FormatError, 3],
  [CheckpointError, 3],
  [MissingError, 4],
  [BudgetError, 5],
  [BusyError, 75],
];

/** The exit code that `error` stands for: 1 for a run that failed and for whatever is not known. */
export const exitCodeOf = (error: unknown): number => {
  if (error instanceof Interrupted) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return codes.find(([type]) => error instanceof type)?.[1] ?? 1;
};
