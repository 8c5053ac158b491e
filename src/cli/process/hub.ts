/** How to reach the Hub, as flags and the environment say. */
import { homedir } from "node:os";
import { join } from "node:path";
import type { HubOptions } from "../../node/hub/hub.ts";
import type { Ui } from "../../recipes/context/ui.ts";

/** The flags of verbs that take a model by name. */
export interface HubFlags {
  readonly revision?: string;
  readonly offline?: boolean;
}

/** Names of Hugging Face's own libraries (https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables). */
const environment = (
  env: NodeJS.ProcessEnv,
): Pick<HubOptions, "cacheDir" | "token" | "offline" | "hubUrl"> => {
  const home = env.HF_HOME ?? (env.XDG_CACHE_HOME && join(env.XDG_CACHE_HOME, "huggingface"));
  const cacheDir = env.HF_HUB_CACHE ?? (home && join(home.replace(/^~(?=$|[/])/, homedir()), "hub"));
  return {
    ...(cacheDir ? { cacheDir } : {}),
    ...(env.HF_TOKEN ? { token: env.HF_TOKEN } : {}),
    ...(env.HF_ENDPOINT ? { hubUrl: env.HF_ENDPOINT } : {}),
    ...(/^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? "") ? { offline: true } : {}),
  };
};

/** How to reach the Hub, with downloads shown on `ui`. */
export const hubOptions = ({ revision, offline }: HubFlags, ui: Ui, signal?: AbortSignal): HubOptions => {
  let task: ReturnType<Ui["task"]> | undefined;
  return {
    ...environment(process.env),
    ...(revision === undefined ? {} : { revision }),
    ...(offline ? { offline } : {}),
    ...(signal === undefined ? {} : { signal }),
    onProgress: ({ file, receivedBytes, totalBytes, bytesPerSec }) => {
      task ??= ui.task("downloading", totalBytes);
      task.update(receivedBytes, { file, "MB/s": (bytesPerSec / 1e6).toFixed(1) });
      if (receivedBytes === totalBytes) task.done(`downloaded ${(totalBytes / 1e6).toFixed(1)} MB`);
    },
  };
};
