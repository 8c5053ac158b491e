/** The door to loading a shipped decoding graph, for programs that do nothing else. */
export { loadBytes, loadGraph } from "./runtime/graph.ts";
