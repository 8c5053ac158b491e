/** Reading GGUF files alone, for what needs none of the other formats. */
export { type DecodedGguf, decodeGguf } from "./gguf/read.ts";
