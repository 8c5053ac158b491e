/** Programs that are run again and again, as one for each shape of a matrix. */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Program } from "../../ir/program.ts";

/** Programs by a key: each is compiled once, and all stay open until they are disposed of. */
export const openPrograms = (engine: Engine) => {
  const sessions = new Map<string, ReturnType<typeof compile>>();
  return {
    of: (key: string, made: () => Program): ReturnType<typeof compile> => {
      const session = sessions.get(key) ?? compile(engine, made());
      sessions.set(key, session);
      return session;
    },
    dispose: async (): Promise<void> => {
      for (const session of sessions.values()) await (await session).dispose();
    },
  };
};
