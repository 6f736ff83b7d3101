import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pressureIn, scaleOf } from "../../../src/control/overload/pressure.ts";

const share = fc.double({ min: 0, max: 1, noNaN: true });

test("a threshold is all or nothing, from its value on", () => {
  const half = [{ monitor: "a", from: 0.5, to: 0.5 }];
  const at = (pressure: number) => scaleOf(half, new Map([["a", pressure]]));
  assert.deepEqual([0, 0.49, 0.5, 1.7].map(at), [0, 0, 1, 1]);
  assert.equal(scaleOf(half, new Map()), 0);
});

test("a scaled trigger grows from nothing to all with the pressure", () => {
  fc.assert(
    fc.property(share, share, share, share, (a, b, one, other) => {
      fc.pre(a !== b);
      const triggers = [{ monitor: "a", from: Math.min(a, b), to: Math.max(a, b) }];
      const at = (pressure: number) => scaleOf(triggers, new Map([["a", pressure]]));
      assert.equal(at(triggers[0]?.from ?? 0), 0);
      assert.equal(at(triggers[0]?.to ?? 0), 1);
      const [lower, higher] = [at(Math.min(one, other)), at(Math.max(one, other))];
      assert(lower >= 0 && lower <= higher && higher <= 1);
    }),
  );
});

test("of several triggers the furthest counts", () => {
  const triggers = [
    { monitor: "a", from: 0, to: 1 },
    { monitor: "b", from: 0, to: 0.5 },
  ];
  const pressures = new Map([
    ["a", 0.3],
    ["b", 0.25],
  ]);
  assert.equal(scaleOf(triggers, pressures), 0.5);
});

test("a file says a pressure or nothing", () => {
  assert.deepEqual(["0.5\n", "1", "0", " .25 "].map(pressureIn), [0.5, 1, 0, 0.25]);
  for (const text of ["", "banana", "1.1", "-0.1", "0.5 0.5", "NaN"])
    assert.equal(pressureIn(text), undefined, text);
});
