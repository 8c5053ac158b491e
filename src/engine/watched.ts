/** An engine whose runs are counted by somebody. */
import type { Engine } from "./engine.ts";

/** The same engine; `onRun` is called after each run of a session that it loads. */
export const watched = (engine: Engine, onRun: () => void): Engine => ({
  name: engine.name,
  version: engine.version,
  threads: engine.threads,
  load: async (model, options) => {
    const session = await engine.load(model, options);
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      inputTypes: session.inputTypes,
      run: async (feeds, fetches) => {
        const found = await session.run(feeds, fetches);
        onRun();
        return found;
      },
      dispose: () => session.dispose(),
    };
  },
});
