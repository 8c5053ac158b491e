import { expect, test } from "vitest";
import { exactly } from "../../metrics/metric.ts";
import type { Form } from "./formats/format.ts";
import { steadied } from "./steady.ts";

const name = "node-cpu/p50Ms";
/** Times that are found one after the other, and how many were. */
const measured = async (foretold: Record<string, number>, ...times: readonly number[]) => {
  let count = 0;
  const probe = async () => ({ figures: { sizeBytes: exactly(9), [name]: exactly(times[count++]!) } });
  const { figures } = await steadied(probe, foretold)({} as Form);
  return [figures[name]!.value, count];
};

test("what takes much longer than foretold is measured once more, and the faster stands", async () => {
  expect(await measured({ [name]: 1 }, 2, 1.1)).toEqual([1.1, 2]);
  expect(await measured({ [name]: 1 }, 2, 2.1)).toEqual([2, 2]);
  expect(await measured({ [name]: 1 }, 1.2)).toEqual([1.2, 1]);
  expect(await measured({ [name]: 0 }, 2)).toEqual([2, 1]);
  expect(await measured({}, 2)).toEqual([2, 1]);
});
