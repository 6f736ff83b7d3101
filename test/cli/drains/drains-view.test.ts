import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText, detailLines } from "../../../src/cli/drains/drain-detail.ts";
import { hasSurvivors } from "../../../src/cli/drains/drain-json.ts";
import { drainLine, drainTable } from "../../../src/cli/drains/drains-view.ts";
import { drainJson } from "../../support/drain-json.ts";

test("the table counts down", () => {
  assert.deepEqual(drainTable([], 0), ["no drains"]);
  const [, line] = drainTable([drainJson({ id: 12, connections: { remaining: 1 } })], 50_000);
  assert.match(line ?? "", /^12 +a@v1 +admin +draining +10s +█{5}░{15} +1 of 4 +0$/);
});

test("a name that draws on the terminal is shown without doing so", () => {
  const drain = drainJson({ listener: "a\u001B[2Jb", version: "v\n1" });
  assert.doesNotMatch(drainLine(drain) + drainTable([drain], 0).join(""), /\p{Cc}/u);
});

test("one drain: why, until when, by which policy, and who is still there", () => {
  const drain = {
    ...drainJson({
      id: 7,
      cause: "lds-replace",
      update_class: "full",
      changed: ["address"],
      percent: 50,
      connections: { at_start: 5, remaining: 3 },
      by_protocol: {
        tcp: { at_start: 5, notified: 2, finished: 1, closed_by_peer: 1, forced: 0, remaining: 3 },
      },
    }),
    remaining: [
      {
        id: 9,
        worker: 1,
        peer: "10.0.0.1:5000",
        age_ms: 61_000,
        protocol: "http1",
        told: true,
        streams: 1,
        bytes_received: 812,
        bytes_sent: 9_700,
        route: "r",
        cluster: "c",
      },
    ],
    silent_workers: [2],
  };
  assert.deepEqual(detailLines(drain, 23_000), [
    "drain 7 of a@v1: draining",
    "  cause      lds-replace by an update, full: address",
    "  time       began 1970-01-01T00:00:00.000Z, until 1970-01-01T00:01:00.000Z, 37s left",
    "  policy     gradual, time 60s, idle spread, 50 percent",
    "  connections 3 of 5 left, 2 told, 1 finished, 0 closed by peer, 0 cut",
    "    tcp       3 of 5 left, 2 told, 1 finished, 1 closed by peer, 0 cut",
    "",
    "ID  WORKER  PEER           AGE    PROTOCOL        STREAMS  IN     OUT      TO",
    "9   1       10.0.0.1:5000  1m01s  http1     told  1        812 B  9.5 KiB  r → c",
    "and 2 younger ones",
    "worker 2 did not answer: what it holds is missing",
  ]);
});

test("bytes have three digits at most and a unit", () => {
  assert.deepEqual([0, 1023, 1024, 10_240, 123_456_789, 5e15].map(bytesText), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "10 KiB",
    "118 MiB",
    "4547 TiB",
  ]);
});

test("survivors are connections that were there when the drain ended", () => {
  assert(hasSurvivors(drainJson({ state: "expired", connections: { remaining: 1 } })));
  assert(hasSurvivors(drainJson({ state: "forced", connections: { forced: 1 } })));
  assert(!hasSurvivors(drainJson({ state: "complete" })));
  assert(!hasSurvivors(drainJson({ connections: { remaining: 1 } })));
});
