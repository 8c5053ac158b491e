/**
 * Folding: each op's own simplification, applied bottom-up (constants folded, identities dropped, transposes
 * taken in).
 */
import { keep, type Program, rewriteProgram } from "../ir/program.ts";

/** Program -> Program in which every value that an op can simplify is simplified. */
export const fold = <P extends Program>(program: P): P =>
  rewriteProgram(program, (node, inputs) => {
    const outputs = keep(node, inputs);
    const simpler = node.op.simplify?.(inputs, node.attrs);
    return simpler === undefined ? outputs : [simpler];
  });
