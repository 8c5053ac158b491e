/** One computation on feeds of several shapes: a session for each, opened when its shape is first met. */
import type { Feeds, Session } from "./engine.ts";

/** Sessions by the shapes of what they are fed. */
export interface ShapedSessions {
  /** The session for feeds of these shapes. */
  at(feeds: Feeds): Promise<Session>;
  dispose(): Promise<void>;
}

/** The names and shapes of feeds, as a key. */
export const shapesOf = (feeds: Feeds): string =>
  Object.entries(feeds)
    .map(([name, { shape }]) => `${name}:${shape.join()}`)
    .join(" ");

/** Sessions that `open` makes, one for each set of shapes. */
export const byShape = (open: (feeds: Feeds) => Promise<Session>): ShapedSessions => {
  const opened = new Map<string, Promise<Session>>();
  return {
    at(feeds) {
      const key = shapesOf(feeds);
      const session = opened.get(key) ?? open(feeds);
      opened.set(key, session);
      return session;
    },
    async dispose() {
      for (const session of await Promise.allSettled(opened.values())) {
        if (session.status === "fulfilled") await session.value.dispose();
      }
    },
  };
};

/** One session for feeds of all shapes. */
export const always = (session: Session): ShapedSessions => ({
  at: async () => session,
  dispose: () => session.dispose(),
});
