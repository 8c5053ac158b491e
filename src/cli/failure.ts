/** How a failure is told: two lines on stderr, or one JSON object on stdout. */
import { CommanderError } from "commander";
import { AnnealError } from "../util/errors.ts";
import { Interrupted } from "./exit.ts";
import { colorsOf, escapeControls } from "./style.ts";

export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly hint?: string;
}

const usage = (error: CommanderError): Failure => {
  const [message = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const hint = rest.join(" ").trim().replace(/^\(|\)$/g, "");
  return { name: "UsageError", message, hint: hint || "add --help to see what there is" };
};

/** What `error` says to the user. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof CommanderError) return usage(error);
  if (error instanceof AnnealError) {
    const { hint } = error.details;
    return { name: error.name, message: error.message, ...(hint === undefined ? {} : { hint }) };
  }
  if (error instanceof Interrupted) return { name: "Interrupted", message: "interrupted" };
  const message = error instanceof Error ? error.message : String(error);
  const name = error instanceof Error ? error.name : "Error";
  return { name, message, hint: "this is a bug in anneal: please report it with the text above" };
};

const known = (error: unknown): boolean =>
  error instanceof AnnealError || error instanceof CommanderError || error instanceof Interrupted;

const stackOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause !== undefined ? `\ncaused by: ${stackOf(error.cause)}` : "";
  return (error instanceof Error ? (error.stack ?? error.message) : String(error)) + cause;
};

/** Prints `error`: with `json` one object on stdout, else lines on stderr, with the stack where it is a bug or asked for. */
export const printFailure = (error: unknown, options: { json: boolean; verbose: boolean }): void => {
  const failure = failureOf(error);
  if (options.json) process.stdout.write(`${JSON.stringify({ error: failure })}\n`);
  const withStack = options.verbose || !known(error);
  if (withStack) process.stderr.write(`${escapeControls(stackOf(error))}\n`);
  if (options.json) return;
  const colors = colorsOf(process.stderr);
  process.stderr.write(`${colors.red("error:")} ${escapeControls(failure.message)}\n`);
  if (failure.hint !== undefined) process.stderr.write(`${colors.cyan("hint:")} ${escapeControls(failure.hint)}\n`);
};
