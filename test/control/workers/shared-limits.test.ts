import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SharedLimits } from "../../../src/control/workers/shared-limits.ts";
import { limitLayout } from "../../../src/shared/protocol/worker-init.ts";

test("allocate() never gives the same counter twice, nor one that still counts", () => {
  const action = fc.record({
    kind: fc.constantFrom("allocate", "release", "count", "discount"),
    size: fc.constantFrom(1, 8),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const limits = new SharedLimits(limitLayout.workersMax + 64);
      const counters = new Int32Array(limits.buffer);
      const held: { index: number; size: number }[] = [];
      const counting: number[] = [];
      for (const { kind, size, pick } of actions) {
        if (kind === "allocate") {
          const index = limits.allocate(size);
          if (index === undefined) continue;
          assert(index >= limitLayout.workersMax);
          assert(limits.isZero(index, size));
          const end = index + size;
          assert(held.every((each) => end <= each.index || index >= each.index + each.size));
          held.push({ index, size });
        } else if (kind === "discount") {
          const [index] = counting.splice(pick % Math.max(1, counting.length), 1);
          if (index !== undefined) Atomics.sub(counters, index, 1);
        } else {
          const chosen = held[pick % Math.max(1, held.length)];
          if (!chosen) continue;
          if (kind === "release") {
            held.splice(held.indexOf(chosen), 1);
            limits.release(chosen.index, chosen.size);
          } else {
            Atomics.add(counters, chosen.index, 1);
            counting.push(chosen.index);
          }
        }
      }
    }),
  );
});
