/** The folder of a run, or of a trial of a sweep: its model stands in it under the name that runs give. */
import { stat } from "node:fs/promises";
import { join } from "node:path";

const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isFile() === true;

/** The folder of the model that a run made in `dir`; undefined where that is a model itself, or has none. */
export const modelOfRun = async (dir: string): Promise<string | undefined> => {
  const model = join(dir, "model");
  const [own, inner] = await Promise.all([dir, model].map((at) => isFile(join(at, "config.json"))));
  return !own && inner ? model : undefined;
};
