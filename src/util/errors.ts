/**
 * The errors that a user can meet. Each names the thing that is wrong (file, line, tensor, field) and what to
 * do. The command line maps a class to an exit code; see `cli/process/exit.ts`.
 */
export interface ErrorDetails {
  /** Path or name of the file concerned. */
  readonly file?: string;
  /** 1-based line in that file. */
  readonly line?: number;
  /** Byte offset in that file. */
  readonly offset?: number;
  /** Dotted name of the tensor concerned. */
  readonly tensor?: string;
  /** Dotted path of the configuration field concerned. */
  readonly field?: string;
  /** What the user can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

const place = (d: ErrorDetails): string => {
  const at: string[] = [];
  if (d.file !== undefined) at.push(d.line === undefined ? d.file : `${d.file}:${d.line}`);
  if (d.offset !== undefined) at.push(`byte ${d.offset}`);
  if (d.tensor !== undefined) at.push(`tensor "${d.tensor}"`);
  if (d.field !== undefined) at.push(`field "${d.field}"`);
  return at.length > 0 ? `${at.join(", ")}: ` : "";
};

/**
 * Base of all errors that anneal throws on purpose. `message` already contains the place; `hint` stands
 * apart.
 */
export class AnnealError extends Error {
  readonly details: ErrorDetails;
  constructor(message: string, details: ErrorDetails = {}) {
    super(place(details) + message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.details = details;
  }
}

/** A shape or dtype that an operation cannot take; thrown where the operation is applied. */
export class ShapeError extends AnnealError {}
/** A wrong option, argument or configuration field (exit code 2). */
export class ConfigError extends AnnealError {}
/** Input data that cannot be used: missing, empty, torn, mis-encoded (exit code 3). */
export class DataError extends AnnealError {}
/** A malformed or hostile file of a known format (exit code 3). */
export class FormatError extends AnnealError {}
/** A checkpoint that is missing, incomplete or damaged (exit code 3). */
export class CheckpointError extends AnnealError {}
/** An optional dependency or a piece of hardware that is not there (exit code 4). */
export class MissingError extends AnnealError {}
/** No candidate meets the budget (exit code 5); the nearest one is shipped all the same. */
export class BudgetError extends AnnealError {}
/** A lock held by another process, or another state that passes (exit code 75). */
export class BusyError extends AnnealError {}
/** The run went wrong by itself: NaN loss, failed parity, failed write (exit code 1). */
export class RunError extends AnnealError {}
