import assert from "node:assert/strict";
import { test } from "node:test";
import { waitingBytesMax } from "../../../src/control/reports/access-log-stream.ts";
import { GrpcAccessLogs } from "../../../src/control/reports/grpc-access-logs.ts";
import { AdsStream } from "../../../src/control/xds/ads-stream.ts";
import { logBatch } from "../../support/access-log-entries.ts";
import { type FakeAdsCall, FakeAdsTransport } from "../../support/fake-ads-transport.ts";
import { FakeStats } from "../../support/fake-stats.ts";
import { recordingLogger } from "../../support/recording-logger.ts";
import { readAccessLogs } from "../../support/report-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import { VirtualClock } from "../../support/virtual-clock.ts";

const a = destination("a");
const b = destination("b");

function destination(logName: string): string {
  const service = { target: { kind: "cluster", clusterName: "logs" } };
  return JSON.stringify({ logName, entryKind: "http", service });
}

function harness() {
  const clock = new VirtualClock();
  const stats = new FakeStats();
  const { logger, lines } = recordingLogger();
  const wires = new Map<string, FakeAdsTransport>();
  const logs = new GrpcAccessLogs({
    clock,
    stats,
    log: logger,
    // A node whose id is `n`.
    node: Uint8Array.of(0x0a, 1, 0x6e),
    open: ({ logName }, handlers) => {
      const transport = new FakeAdsTransport();
      wires.set(logName, transport);
      return new AdsStream({ transport, clock, random: seededRandom(1) }, handlers);
    },
  });
  return {
    clock,
    logs,
    lines,
    wire: (name: string): FakeAdsTransport => {
      const wire = wires.get(name);
      assert(wire, `${name} was opened`);
      return wire;
    },
    counts: () => ({
      written: stats.value("access_logs.grpc_access_log.logs_written"),
      dropped: stats.value("access_logs.grpc_access_log.logs_dropped"),
      flushed: stats.value("access_logs.grpc_access_log.grpc_entries_flushed"),
      lost: stats.value("access_logs.grpc_access_log.grpc_entries_flush_failed"),
    }),
    stats,
  };
}

/** Of each message on a stream: the log's name if it says so, and the number of its entries. */
function said(call: FakeAdsCall): readonly (readonly [string | undefined, number])[] {
  return call.takenBytes().map((bytes) => {
    const { identifier, http_logs: http } = readAccessLogs(bytes) as {
      identifier?: { log_name: string; node: { id: string } };
      http_logs: { log_entry: unknown[] };
    };
    if (identifier) assert.equal(identifier.node.id, "n");
    return [identifier?.log_name, http.log_entry.length] as const;
  });
}

test("what was logged waits for the connection, and the first message alone says who logs", async () => {
  const { logs, wire, counts, clock } = harness();
  logs.add(logBatch(a, 2));
  logs.add(logBatch(a, 1));
  const call = wire("a").last;
  assert.deepEqual(said(call), []);
  call.handlers.connected();
  logs.add(logBatch(a, 3));
  assert.deepEqual(said(call), [
    ["a", 2],
    [undefined, 1],
    [undefined, 3],
  ]);
  assert.deepEqual(counts(), { written: 6, dropped: 0, flushed: 6, lost: 0 });

  call.handlers.ended("14, gone");
  logs.add(logBatch(a, 4));
  await clock.advance(30_000);
  const again = wire("a").last;
  assert.notEqual(again, call);
  again.handlers.connected();
  assert.deepEqual(said(again), [["a", 4]]);
});

test("a server that is away fills its own log, and no other", () => {
  const { logs, wire, counts, lines } = harness();
  const share = waitingBytesMax / 4;
  for (let i = 0; i < 6; i++) logs.add(logBatch(a, 10, share));
  assert.deepEqual(counts(), { written: 40, dropped: 20, flushed: 0, lost: 0 });
  logs.add(logBatch(b, 5, share));
  wire("b").last.handlers.connected();
  assert.deepEqual(said(wire("b").last), [["b", 5]]);

  wire("a").last.handlers.ended("14, refused");
  assert.match(lines.join(), /warning access log 'a': its stream closed: 14, refused/);
});

test("a server that reads slowly gets nothing before it asks", () => {
  const { logs, wire, counts } = harness();
  logs.add(logBatch(a, 1));
  const call = wire("a").last;
  call.handlers.connected();
  said(call);
  call.canSend = false;
  logs.add(logBatch(a, 2));
  assert.deepEqual(said(call), []);
  assert.equal(counts().flushed, 1);
  call.canSend = true;
  call.handlers.writable();
  assert.deepEqual(said(call), [[undefined, 2]]);
});

test("a batch above the bound is taken when nothing else waits", () => {
  const { logs, counts } = harness();
  logs.add(logBatch(a, 1, waitingBytesMax + 1));
  logs.add(logBatch(a, 1, 1));
  assert.deepEqual(counts(), { written: 1, dropped: 1, flushed: 0, lost: 0 });
});

test("what workers dropped is counted", () => {
  const { logs, counts } = harness();
  logs.add({ destination: a, bytes: 0, entries: [], dropped: 7 });
  assert.equal(counts().dropped, 7);
});

test("a log that says nothing more gives its stream up, and comes back", async () => {
  const { logs, wire, clock, counts } = harness();
  logs.add(logBatch(a, 1));
  const first = wire("a").last;
  first.handlers.connected();
  await clock.advance(5 * 60_000);
  assert.equal(first.isCancelled, false);
  await clock.advance(5 * 60_000);
  assert.equal(first.isCancelled, true);
  assert.equal(clock.pendingCount, 0);
  logs.add(logBatch(a, 1));
  assert.notEqual(wire("a").last, first);
  logs[Symbol.dispose]();
  assert.equal(counts().lost, 1);
  assert.equal(clock.pendingCount, 0);
});

test("without a batch there are no stats", () => {
  assert.deepEqual(harness().stats.prefixes, []);
});
