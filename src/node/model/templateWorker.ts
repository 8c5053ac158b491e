/** Renders one chat template and ends: the process that `template.ts` starts, and stops in the end. */
import { Refusal, render } from "../../template/index.ts";

/** What is rendered. */
export interface TemplateWork {
  readonly template: string;
  readonly context: Readonly<Record<string, unknown>>;
  /** The local time, milliseconds, as if it were that of Greenwich. */
  readonly now: number;
  /** Longest text that is taken, characters. */
  readonly maxLength: number;
}

/** The text, or why there is none. */
export type TemplateAnswer =
  | { readonly text: string }
  /** The template itself refused the messages (`raise_exception`). */
  | { readonly refused: string }
  | { readonly failed: string };

/** What the process says before it has work: from here on its time counts. */
export const READY = "ready";

const answer = ({ template, context, now, maxLength }: TemplateWork): TemplateAnswer => {
  try {
    const text = render(template, context, { now: new Date(now) });
    return text.length > maxLength ? { failed: `it makes a text of ${text.length} characters` } : { text };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Refusal ? { refused: message } : { failed: message };
  }
};

if (process.argv[2] === "template" && process.send !== undefined) {
  process.once("message", (work) => {
    process.send!(answer(work as TemplateWork), () => process.disconnect());
  });
  process.send(READY);
}
