/** Touches locks of this process every few seconds, whatever the main thread is at. */
import { utimesSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

/** What the thread is told: to touch a file from now on, or no longer; or to end. */
export type Renewal = { readonly path: string; readonly renews: boolean } | { readonly ends: true };

const { everyMs }: { readonly everyMs?: number } = workerData ?? {};
if (parentPort !== null && everyMs !== undefined) {
  const paths = new Set<string>();
  const port = parentPort;
  const timer = setInterval(() => {
    const now = new Date();
    for (const path of paths) {
      try {
        utimesSync(path, now, now);
      } catch {
        // It is gone, or its disk is: whoever waits for it will see.
      }
    }
  }, everyMs);
  port.on("message", (said: Renewal) => {
    if ("ends" in said) {
      clearInterval(timer);
      port.close();
    } else if (said.renews) paths.add(said.path);
    else paths.delete(said.path);
  });
}
