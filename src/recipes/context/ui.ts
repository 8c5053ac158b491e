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

/** A task of progress whose size is known when it is first told of. */
export const progressOf = (ui: Ui, name: string) => {
  let task: Progress | undefined;
  return {
    update: (done: number, of: number): void => {
      task ??= ui.task(name, of);
      task.update(done);
    },
    done: (summary: string): void => (task ?? ui.task(name, 0)).done(summary),
  };
};
