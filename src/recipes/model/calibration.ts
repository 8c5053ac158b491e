/** Texts that passes look at a model's numbers on: prose of several languages, a list, code. Our own. */
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { AnnealError } from "../../util/errors.ts";

const texts = [
  "The harbour was quiet when the first boats came in. Two men carried crates of fish to the market, " +
    "where a woman with a ledger counted them twice and paid for what was fresh. By noon the square " +
    "was full of people.",
  "In 1911 the company built a second line along the river, and within ten years its trains carried " +
    "most of the region's coal. The bridge, which had cost more than 400,000 dollars, was closed in " +
    "1963.",
  "Water boils at a lower temperature on a mountain because the pressure of the air is lower there. " +
    "How long should an egg be cooked at 3,000 metres? Add about one minute for every 300 metres above " +
    "sea level.",
  "Am Abend regnete es, und die Straßen glänzten im Licht der Laternen. Niemand wusste, warum der " +
    "Zug so lange vor dem Bahnhof stand. La nuit tombait; on entendait au loin la musique d'une fête " +
    "de village.",
  "export function mean(values) {\n  let sum = 0;\n  for (const value of values) sum += value;\n  " +
    "return sum / values.length; // NaN where there are none\n}\n",
  "Shopping list:\n- 2 litres of milk\n- bread, butter, six eggs\n- a card for Anna's birthday (she " +
    "turns 40)\n",
] as const;

/** The texts' tokens. */
export const calibrationOf = (tokenizer: Tokenizer): number[][] =>
  texts.map((text) => Array.from(tokenizer.encodeInputs(text).ids)).filter((ids) => ids.length > 0);

/** The same by the tokenizer of a model's folder; undefined where it has none that can be read. */
export const calibrationIn = async (dir: string): Promise<number[][] | undefined> => {
  try {
    return calibrationOf(await readTokenizer(dir));
  } catch (error) {
    if (error instanceof AnnealError) return undefined;
    throw error;
  }
};
