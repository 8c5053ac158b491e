/** Choices that save time under a budget. */

/** What one way takes of the budget, and how long it takes; units are the caller's. */
export interface Option {
  readonly cost: number;
  readonly time: number;
}

/** The change that saves most time for its cost within `left`, if any saves some. */
const bestChange = (
  groups: readonly (readonly Option[])[],
  now: readonly number[],
  left: number,
): { readonly group: number; readonly to: number } | undefined => {
  let found: { group: number; to: number } | undefined;
  let most = 0;
  for (const [group, options] of groups.entries()) {
    const from = options[now[group]!]!;
    for (const [to, { cost, time }] of options.entries()) {
      const more = Math.max(cost, 0) - Math.max(from.cost, 0);
      const saved = from.time - time;
      if (saved <= 0 || more > left) continue;
      const worth = saved / Math.max(more, 1e-12);
      if (worth > most) [found, most] = [{ group, to }, worth];
    }
  }
  return found;
};

/**
 * One option of each group, by its index: changes from the first one of each are made in the order of the
 * time that they save for what they cost, as long as all costs together are within `budget`.
 */
export const quickest = (groups: readonly (readonly Option[])[], budget: number): number[] => {
  const now = groups.map(() => 0);
  const spent = () => groups.reduce((sum, options, i) => sum + Math.max(0, options[now[i]!]!.cost), 0);
  for (;;) {
    const change = bestChange(groups, now, budget - spent());
    if (change === undefined) return now;
    now[change.group] = change.to;
  }
};
