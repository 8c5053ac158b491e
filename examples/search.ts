/**
 * Ranks notes by how near they are to a question, with an encoder of yours or of the Hub.
 * Usage: search.ts MODEL QUESTION NOTE...
 */

import { loadFolder, modelDir, nodeEngine } from "anneal/node";
import { encoderOf } from "anneal/serve";

const [ref = "sentence-transformers/all-MiniLM-L6-v2", question = "where are the keys?", ...given] =
  process.argv.slice(2);
const notes = given.length > 0 ? given : ["The keys lie under the mat.", "Bread: flour, water, salt, time."];

const { model, tokenizer } = await loadFolder(await modelDir(ref), { task: "features" });
const encoder = await encoderOf(await nodeEngine(), model);
const { sentences } = await encoder.run([question, ...notes].map((text) => tokenizer.encodeInputs(text)));
await encoder.dispose();
if (sentences === undefined) throw new Error(`${ref} does not say how it pools`);

// Vectors of length 1 [texts, C]: their products are cosines.
const { shape, data } = sentences;
const width = shape[1]!;
const vector = (row: number) => Array.from(data.subarray(row * width, (row + 1) * width), Number);
const asked = vector(0);
const ranked = notes
  .map((note, i) => ({ note, score: vector(i + 1).reduce((sum, x, k) => sum + x * asked[k]!, 0) }))
  .sort((a, b) => b.score - a.score);
for (const { note, score } of ranked) console.log(`${score.toFixed(3)}  ${note}`);
