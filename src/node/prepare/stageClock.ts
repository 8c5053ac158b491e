/** Times stages that pull from one another: each gets the time of its own, without that of those before. */

export const stageClock = () => {
  const spent = new Map<string, number>();
  // The time that inner stages took while an outer one waited for them.
  let inner = 0;
  const note = (name: string, elapsed: number): void =>
    void spent.set(name, (spent.get(name) ?? 0) + elapsed);
  return {
    async *wrap<T>(name: string, documents: AsyncIterable<T>): AsyncGenerator<T> {
      const iterator = documents[Symbol.asyncIterator]();
      try {
        for (;;) {
          const before = inner;
          inner = 0;
          const start = performance.now();
          const { done, value } = await iterator.next();
          const elapsed = performance.now() - start;
          note(name, elapsed - inner);
          inner = before + elapsed;
          if (done === true) return;
          yield value;
        }
      } finally {
        await iterator.return?.();
      }
    },
    measure<T>(name: string, work: () => T): T {
      const start = performance.now();
      const made = work();
      note(name, performance.now() - start);
      return made;
    },
    /** Adds seconds that were measured elsewhere. */
    add(seconds: Readonly<Record<string, number>>): void {
      for (const [name, s] of Object.entries(seconds)) note(name, 1000 * s);
    },
    seconds: (): Record<string, number> =>
      Object.fromEntries(Array.from(spent, ([name, ms]) => [name, ms / 1000])),
  };
};

/** Times the stages of one run. */
export type StageClock = ReturnType<typeof stageClock>;
