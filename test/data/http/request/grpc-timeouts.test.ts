import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseGrpcTimeout,
  requestLimits,
} from "../../../../src/data/http/request/grpc-timeouts.ts";
import { clusterAction } from "../../../support/http-fixture.ts";

test("timeouts of gRPC are whole milliseconds, rounded up", () => {
  const cases: readonly (readonly [string | undefined, number | undefined])[] = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["4m", 4],
    ["1001u", 2],
    ["1n", 1],
    ["0S", 0],
    ["99999999H", 359_999_996_400_000],
    ["123456789S", undefined],
    ["S", undefined],
    ["-1S", undefined],
    ["1.5S", undefined],
    ["5X", undefined],
    ["", undefined],
    [undefined, undefined],
  ];
  for (const [text, ms] of cases) assert.equal(parseGrpcTimeout(text), ms, text);
});

test("a request never lasts longer than its route lets grpc-timeout ask for", () => {
  const ms = fc.integer({ min: 1, max: 1_000_000 });
  const property = fc.property(ms, ms, ms, fc.boolean(), (asked, max, offset, isGrpc) => {
    const streamDuration = { maxMs: 5, grpcHeaderMaxMs: max, grpcHeaderOffsetMs: offset };
    const action = clusterAction({ streamDuration });
    const { durationMs, toldMs } = requestLimits(action, isGrpc, `${asked}m`);
    assert.equal(durationMs, Math.max(0, Math.min(asked, max) - offset));
    assert.equal(toldMs, isGrpc ? durationMs : undefined);
  });
  fc.assert(property);
});
