import { expect, test } from "vitest";
import { exactMatch } from "./exactMatch.ts";
import { rougeL } from "./rougeL.ts";

test("an answer matches any of its references", () => {
  const answers = ["The Beatles!", "Paris", ""];
  const references = [["beatles", "The Rolling Stones"], ["London"], [""]];
  expect(exactMatch.measure(answers, references)).toMatchObject({ value: 2 / 3, n: 3 });
});

test("ROUGE-L reads other scripts by the tokens that it is given", () => {
  const [prediction, reference] = [["今天天气好"], ["今天天气很好"]];
  expect(rougeL().measure(prediction, reference).value).toBe(0);
  const characters = rougeL({ tokens: (text) => Array.from(text) });
  expect(characters.measure(prediction, reference).value).toBeCloseTo(10 / 11, 12);
});
