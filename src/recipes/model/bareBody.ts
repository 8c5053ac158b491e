/** A checkpoint whose config.json names a class with a head that its weights do not have. */
import type { Model } from "../../models/model.ts";

/** The class that config.json names, where the weights lack its head; undefined where they fit. */
export const classWithoutHead = ({ history }: Pick<Model, "history">): string | undefined => {
  const options = history.find(({ name }) => name === "bareBody")?.options;
  return (options as { readonly named?: string } | undefined)?.named;
};

/** What the user is told of such a checkpoint: as what it is taken, and what else to choose. */
export const bareBodyNotes = (model: Pick<Model, "history" | "config">): string[] => {
  const named = classWithoutHead(model);
  if (named === undefined) return [];
  const taken = model.config.architectures[0];
  return [
    `config.json names ${named}, whose head the weights lack: it is taken as ${taken}; ` +
      `for a ${named}, choose a checkpoint that has the head`,
  ];
};
