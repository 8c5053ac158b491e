/** What a failed command says: the message, what to do about it, the stack only where it was asked for. */
import { CommanderError } from "commander";
import type { createColors } from "picocolors";
import { withoutSecrets } from "../../node/redis/address.ts";
import { AnnealError, type ErrorDetails } from "../../util/errors.ts";
import { inWords, sharedFlags, verbs } from "../flags/flags.ts";
import { escaped, inLine } from "../terminal/terminal.ts";

/** An error as it is told. */
export interface Failure extends Omit<ErrorDetails, "cause"> {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

const OURS = "anneal did not expect this: please report it, with what --verbose adds";

/** Of an option that is not this verb's, whose it is. */
const otherVerbs = (text: string, verb: string | undefined): Failure | undefined => {
  const name = /^unknown option '(--[\w-]+)/.exec(text)?.[1];
  const known = sharedFlags.find((flag) => flag.name === name);
  if (known === undefined || verb === undefined || !Object.hasOwn(verbs, verb)) return undefined;
  const hint = `leave it out: it is for ${inWords(known.verbs)}`;
  return { name: "UsageError", message: `${name} means nothing to ${verb}`, hint };
};

/** Two options that exclude one another, as commander tells of them. */
const CONFLICT = /^option '[^']*' cannot be used with option '[^']*'/;

/** Commander writes "error: message" and below it its guess at what was meant. */
const usage = ({ message }: CommanderError, verb: string | undefined): Failure => {
  const [, text = message, guess] = /^(?:error: )?(.*?)(?:\s*\(Did you mean (.*)\?\))?$/s.exec(message) ?? [];
  const command = verb === undefined || verb.startsWith("-") || text.includes("command") ? "" : `${verb} `;
  const other = otherVerbs(text, verb);
  if (other !== undefined) return other;
  if (CONFLICT.test(text)) return { name: "UsageError", message: text.trim(), hint: "leave one of them out" };
  const hint = guess ? `did you mean ${guess}?` : `npx anneal ${command}--help shows what there is`;
  return { name: "UsageError", message: text.trim(), hint };
};

/** A failure whose texts hold no password: what a user typed may stand in any of them. */
const masked = (failure: Failure): Failure => {
  const texts = Object.entries(failure).filter(([, value]) => typeof value === "string");
  return { ...failure, ...Object.fromEntries(texts.map(([name, text]) => [name, withoutSecrets(text)])) };
};

const plainOf = (error: unknown, verbose: boolean, verb: string | undefined): Failure => {
  if (error instanceof CommanderError) return usage(error, verb);
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const extra = verbose && stack !== undefined ? { stack } : {};
  if (!(error instanceof AnnealError)) return { name, message, hint: OURS, ...extra };
  const { cause: _, ...details } = error.details;
  return { name, message, ...details, ...extra };
};

/** `error` as plain data; `verb` is the word that the command line began with. */
export const failureOf = (error: unknown, verbose: boolean, verb?: string): Failure =>
  masked(plainOf(error, verbose, verb));

/** A failure as a block of lines for people. */
export const errorText = (
  { message, hint, stack }: Failure,
  color: ReturnType<typeof createColors>,
): string => {
  const lines = [`${color.red("error:")} ${inLine(message)}`];
  if (hint !== undefined) lines.push(`${color.cyan("hint:")} ${inLine(hint)}`);
  if (stack !== undefined) lines.push(color.dim(escaped(stack)));
  return `${lines.join("\n")}\n`;
};
