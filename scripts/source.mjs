/** What the TypeScript compiler knows of the source: exported names, and which of them have no docstring. */
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const options = () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.build.json"), ts.sys.readFile);
  return ts.parseJsonConfigFileContent(config, ts.sys, root);
};

/** The program of src, without its tests. */
export const sourceProgram = () => {
  const { fileNames, options: given } = options();
  return ts.createProgram(fileNames, { ...given, noEmit: true });
};

const isOwn = (file) => !file.isDeclarationFile && file.fileName.startsWith(join(root, "src"));

const exportsOf = (checker, file) => {
  const module = checker.getSymbolAtLocation(file);
  return module === undefined ? [] : checker.getExportsOfModule(module);
};

/** "path:line name" of every export without a docstring, at the place where it is declared. */
export const undocumented = (program) => {
  const checker = program.getTypeChecker();
  return program
    .getSourceFiles()
    .filter(isOwn)
    .flatMap((file) =>
      exportsOf(checker, file).flatMap((symbol) => {
        const own = (symbol.declarations ?? []).filter((d) => d.getSourceFile() === file);
        if (own.length === 0 || own.every(ts.isExportSpecifier)) return [];
        if (symbol.getDocumentationComment(checker).length > 0) return [];
        const { line } = file.getLineAndCharacterOfPosition(own[0].getStart());
        return [`${relative(root, file.fileName)}:${line + 1} ${symbol.name}`];
      }),
    );
};

/** The exported names of every entry of the package, sorted: `type` before what has no value. */
export const publicNames = (program) => {
  const checker = program.getTypeChecker();
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.entries(exports).flatMap(([entry, { types } = {}]) => {
    if (types === undefined) return [];
    const path = join(root, types.replace("./dist/", "src/").replace(/\.d\.ts$/, ".ts"));
    const names = exportsOf(checker, program.getSourceFile(path)).map((symbol) => {
      const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return flags & ts.SymbolFlags.Value ? symbol.name : `type ${symbol.name}`;
    });
    return [[entry, names.sort()]];
  });
  return Object.fromEntries(entries);
};
