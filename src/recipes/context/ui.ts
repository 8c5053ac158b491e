/** What a recipe tells while it runs; the command line prints it, a program may ignore it. */

export interface Progress {
  /** Work done so far, of the task's total, and figures worth showing (loss, tokens/s). */
  update(done: number, fields?: Readonly<Record<string, string | number>>): void;
  /** Ends the task with a line that stays. */
  done(summary?: string): void;
}

/** Where a recipe's words go. */
export interface Ui {
  /** A new stage begins. */
  stage(title: string): void;
  /** A line of result or remark that stays. */
  line(text: string): void;
  /** Something that the user should not miss. */
  warn(text: string): void;
  task(name: string, total: number): Progress;
}

/** Says nothing. */
export const silent: Ui = {
  stage: () => {},
  line: () => {},
  warn: () => {},
  task: () => ({ update: () => {}, done: () => {} }),
};
