// Ranks in one process, for what they come to and not for how fast: an exchange ends as soon as all have come to it.
export const localRanks = (size) => {
  let waiting = [];
  const meet = () => {
    const all = waiting.toSorted((a, b) => a.rank - b.rank);
    waiting = [];
    for (const to of all) {
      for (const from of all) {
        if (from === to) continue;
        for (const [i, data] of (to.room[from.rank] ?? []).entries()) data.set(from.parcels[to.rank][i]);
      }
    }
    for (const { rank, parcels, room, done } of all)
      done(parcels.map((own, r) => (r === rank ? own : room[r])));
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    copies: true,
    exchange: (parcels, room = parcels) =>
      new Promise((done) => {
        waiting.push({ rank, parcels, room, done });
        if (waiting.length === size) meet();
      }),
  }));
};
