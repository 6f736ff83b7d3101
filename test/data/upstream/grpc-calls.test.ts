import assert from "node:assert/strict";
import { test } from "node:test";
import { anyCall, callNamesMax, GrpcCalls } from "../../../src/data/upstream/grpc-calls.ts";
import { StatSlab } from "../../../src/shared/stats/slab.ts";
import { grpcCallStats } from "../../../src/shared/stats/stat-names.ts";

const total = grpcCallStats.offset("total");
const time = grpcCallStats.offset("upstream_rq_time");

class Stage {
  readonly slab = new StatSlab(new SharedArrayBuffer(grpcCallStats.size * 16));
  readonly wanted: string[] = [];
  overflows = 0;
  readonly calls = new GrpcCalls({
    slab: this.slab,
    want: (prefix) => void this.wanted.push(prefix),
    countOverflow: () => void this.overflows++,
  });

  at(block: number): number {
    return this.slab.values[block + total] ?? 0;
  }
}

test("what is counted before its block is known is in it later", () => {
  const stage = new Stage();
  const counts = stage.calls.of("grpc", "a.B");
  counts.count(total);
  counts.record(time, 2);
  assert.equal(stage.calls.of("grpc", "a.B"), counts);
  assert.deepEqual(stage.wanted, ["grpc.a.B."]);
  stage.calls.setBlock("grpc.a.B.", 7);
  assert.equal(stage.at(7), 1);
  counts.count(total, 2);
  assert.equal(stage.at(7), 3);
  // Said again, as by two workers' questions: nothing counts twice.
  stage.calls.setBlock("grpc.a.B.", 7);
  assert.equal(stage.at(7), 3);
  const recorded = stage.slab.values.subarray(7 + time, 7 + grpcCallStats.size);
  assert.equal(
    recorded.reduce((sum, value) => sum + value, 0),
    3,
  );
});

test("names that clients make up are counted together beyond a bound", () => {
  const stage = new Stage();
  for (let i = 0; i < callNamesMax; i++) stage.calls.of("grpc", `a.M${i}`);
  assert.equal(stage.overflows, 0);
  const together = stage.calls.of("grpc", "a.Late");
  assert.equal(stage.overflows, 1);
  assert.equal(together, stage.calls.of("grpc", anyCall));
  assert.equal(stage.wanted.length, callNamesMax + 1);
});

test("a cluster that is gone counts nowhere: its slots may be another's", () => {
  const stage = new Stage();
  const counts = stage.calls.of("grpc", "a.B");
  stage.calls.setBlock("grpc.a.B.", 7);
  stage.calls.retire();
  counts.count(total);
  stage.calls.setBlock("grpc.a.B.", 7);
  counts.count(total);
  stage.calls.of("grpc", "a.C").count(total);
  assert.equal(stage.at(7), 0);
  assert.deepEqual(stage.wanted, ["grpc.a.B."]);
});
