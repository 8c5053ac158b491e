/** The door of the room `read`, for programs that read files and nothing else. */
export { listInputs, type ReadOptions, readDocuments, readFileDocuments } from "./read/read.ts";
