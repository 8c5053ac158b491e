/**
 * Packages that a user may leave out: looked for beside this package, then in the project that the command is
 * called in, so that npx finds what the project has.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { MissingError } from "../../util/errors.ts";

/** Path of an optional package's entry. Throws MissingError saying how to install it. */
export const optionalPath = (name: string): string => {
  let cause: unknown;
  for (const from of [import.meta.url, pathToFileURL(join(process.cwd(), "package.json"))]) {
    try {
      return createRequire(from).resolve(name);
    } catch (error) {
      cause = error;
    }
  }
  throw new MissingError(`${name} is not installed`, { cause, hint: `npm install ${name}` });
};

/** Folder of an optional package's entry. Throws MissingError saying how to install it. */
export const optionalFolder = (name: string): string => dirname(optionalPath(name));
