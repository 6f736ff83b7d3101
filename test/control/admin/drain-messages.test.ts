import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import type {
  Drain,
  RemainingConnection,
} from "../../../gen/es/sluice/drain/v1/drain_service_pb.d.ts";
import { drainMessage, remainingMessage } from "../../../src/control/admin/drain-messages.ts";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import { createProtoRegistry } from "../../../src/control/proto/proto-registry.ts";

const protos = createProtoRegistry();
const schema = protos.schema<Drain>("sluice.drain.v1.Drain");

const counts = {
  at_start: 6,
  notified: 5,
  finished: 1,
  closed_by_peer: 2,
  forced: 0,
  remaining: 3,
};

const view: DrainView = {
  id: 7,
  process_generation: null,
  cause: "lds-replace",
  listener: "shop",
  generation: 3,
  version: "41",
  filter_chains: ["a", "b"],
  percent: 50,
  direction: "all",
  state: "forced",
  started_at: "2026-01-02T03:04:05.678Z",
  deadline: "2026-01-02T03:05:05.678Z",
  ended_at: "2026-01-02T03:05:00.000Z",
  ended_by: "generations",
  strategy: "immediate",
  policy: {
    time: "60s",
    strategy: "immediate",
    idle: "close",
    streams: "finish",
    tcp: "keep",
    websocket: "close",
    idle_grace: "0.250s",
    max_generations: 4,
  },
  update_class: "full",
  changed: ["address"],
  connections: counts,
  by_protocol: { tcp: counts },
};

test("a drain as its message has it, field by field", () => {
  const countsJson = {
    atStart: "6",
    notified: "5",
    finished: "1",
    closedByPeer: "2",
    remaining: "3",
  };
  assert.deepEqual(toJson(schema, create(schema, drainMessage(view))), {
    id: "7",
    cause: "CAUSE_LDS_REPLACE",
    state: "STATE_FORCED",
    listener: { name: "shop", generation: "3", version: "41", filterChains: ["a", "b"] },
    percent: 50,
    direction: "DIRECTION_ALL",
    startTime: "2026-01-02T03:04:05.678Z",
    deadline: "2026-01-02T03:05:05.678Z",
    endTime: "2026-01-02T03:05:00Z",
    endedBy: "ENDED_BY_GENERATIONS",
    policy: {
      time: "60s",
      strategy: "IMMEDIATE",
      idle: "IDLE_CLOSE",
      streams: "STREAMS_FINISH",
      tcp: "TCP_KEEP",
      websocket: "WEBSOCKET_CLOSE",
      idleGrace: "0.250s",
      maxGenerations: 4,
    },
    updateClass: "UPDATE_CLASS_FULL",
    changedFields: ["address"],
    connections: countsJson,
    byProtocol: [{ protocol: "PROTOCOL_TCP", connections: countsJson }],
  });
});

test("of the whole server under way, what is not known is absent", () => {
  const json = toJson(
    schema,
    create(
      schema,
      drainMessage({
        ...view,
        listener: null,
        generation: null,
        version: null,
        filter_chains: null,
        percent: null,
        state: "draining",
        ended_at: null,
        ended_by: null,
        update_class: null,
      }),
    ),
  ) as object;
  for (const absent of ["listener", "percent", "endTime", "endedBy", "updateClass"])
    assert(!(absent in json), absent);
});

test("every word of the view is the constant of the same name", () => {
  type Words = Partial<DrainView>;
  const policy = (words: Partial<DrainView["policy"]>): Words => ({
    policy: { ...view.policy, ...words },
  });
  const words: readonly (readonly [Words, RegExp])[] = [
    ...(["lds-remove", "filter-chain", "admin", "hot-restart", "shutdown"] as const).map(
      (cause) => [{ cause }, named("CAUSE", cause)] as const,
    ),
    ...(["draining", "complete", "expired", "cancelled"] as const).map(
      (state) => [{ state }, named("STATE", state)] as const,
    ),
    ...(["empty", "deadline", "order", "listener", "wider"] as const).map(
      (by) => [{ ended_by: by }, named("ENDED_BY", by)] as const,
    ),
    [{ direction: "inbound_only" }, named("DIRECTION", "inbound_only")],
    [{ update_class: "filter-chains" }, named("UPDATE_CLASS", "filter-chains")],
    [policy({ strategy: "gradual" }), /"strategy":"GRADUAL"/],
    [policy({ idle: "spread" }), named("IDLE", "spread")],
    [policy({ idle: "keep" }), named("IDLE", "keep")],
    [policy({ streams: "deadline" }), named("STREAMS", "deadline")],
    [policy({ tcp: "deadline" }), named("TCP", "deadline")],
    [policy({ tcp: "spread" }), named("TCP", "spread")],
    [policy({ websocket: "deadline" }), named("WEBSOCKET", "deadline")],
    ...(["http1", "http2", "websocket"] as const).map(
      (protocol) => [{ by_protocol: { [protocol]: counts } }, named("PROTOCOL", protocol)] as const,
    ),
  ];
  for (const [overrides, constant] of words) {
    const message = create(schema, drainMessage({ ...view, ...overrides }));
    assert.match(JSON.stringify(toJson(schema, message)), constant);
  }
});

function named(kind: string, word: string): RegExp {
  return new RegExp(`"${kind}_${word.toUpperCase().replaceAll("-", "_")}"`);
}

test("a connection that remains", () => {
  const of = protos.schema<RemainingConnection>("sluice.drain.v1.RemainingConnection");
  const message = remainingMessage({
    id: 9,
    worker: 1,
    peer: "10.0.0.1:5000",
    local: "10.0.0.2:80",
    age_ms: 61_500,
    protocol: "http1",
    told: true,
    streams: 1,
    bytes_received: 5,
    bytes_sent: 6,
    route: null,
    cluster: "c",
  });
  assert.deepEqual(toJson(of, create(of, message)), {
    id: "9",
    worker: 1,
    peerAddress: "10.0.0.1:5000",
    localAddress: "10.0.0.2:80",
    age: "61.500s",
    protocol: "PROTOCOL_HTTP1",
    notified: true,
    streams: 1,
    bytesReceived: "5",
    bytesSent: "6",
    cluster: "c",
  });
});
