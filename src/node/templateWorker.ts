/** Renders one chat template and ends: the process that `template.ts` starts, and stops in the end. */
import { Environment, Template } from "@huggingface/jinja";

export interface TemplateWork {
  readonly template: string;
  readonly context: Readonly<Record<string, unknown>>;
  /** Longest text that is taken, characters. */
  readonly maxLength: number;
}

export type TemplateAnswer =
  | { readonly text: string }
  /** The template itself refused the messages (`raise_exception`). */
  | { readonly refused: string }
  | { readonly failed: string };

class Refusal extends Error {}

const refuse = (message: unknown): never => {
  throw new Refusal(String(message));
};

/** The library's own `raise_exception` throws what any mistake throws; ours can be told from them. */
const markRefusals = (): void => {
  const { set } = Environment.prototype;
  Environment.prototype.set = function (this: Environment, name: string, value: unknown) {
    return set.call(this, name, name === "raise_exception" ? refuse : value);
  };
};

const render = ({ template, context, maxLength }: TemplateWork): TemplateAnswer => {
  try {
    const text = new Template(template).render({ ...context });
    return text.length > maxLength ? { failed: `it makes a text of ${text.length} characters` } : { text };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Refusal ? { refused: message } : { failed: message };
  }
};

if (process.argv[2] === "template" && process.send !== undefined) {
  markRefusals();
  process.once("message", (work) => {
    process.send!(render(work as TemplateWork), () => process.disconnect());
  });
}
