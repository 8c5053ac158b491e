import type ts from "typescript";

export const root: string;
export const sourceProgram: () => ts.Program;
export const undocumented: (program: ts.Program) => string[];
export const publicNames: (program: ts.Program) => Record<string, string[]>;
