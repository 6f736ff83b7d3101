import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { summarise } from "../../bench/measure/statistics.ts";

test("summarise() takes the middle sample, or the mean of the two in the middle", () => {
  assert.deepEqual(summarise([3, 1, 2]), { median: 2, min: 1, max: 3 });
  assert.deepEqual(summarise([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 });
});

test("summarise() has as many samples below the median as above, in any order", () => {
  const samples = fc.array(fc.double({ noNaN: true, min: -1e9, max: 1e9 }), { minLength: 1 });
  fc.assert(
    fc.property(samples, (values) => {
      const { median, min, max } = summarise(values);
      assert(min <= median && median <= max);
      const below = values.filter((value) => value < median).length;
      const above = values.filter((value) => value > median).length;
      assert(below <= values.length / 2 && above <= values.length / 2);
    }),
  );
});
