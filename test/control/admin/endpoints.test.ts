import assert from "node:assert/strict";
import { test } from "node:test";
import { clustersEndpoint } from "../../../src/control/admin/clusters-endpoint.ts";
import {
  type ConnectionDrainRequest,
  type DrainRequest,
  drainListenersEndpoint,
  healthCheckFailEndpoint,
  healthCheckOkEndpoint,
} from "../../../src/control/admin/drain-endpoints.ts";
import type { AdminEndpoint } from "../../../src/control/admin/endpoint.ts";
import { initDumpEndpoint } from "../../../src/control/admin/init-dump-endpoint.ts";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import { listenersEndpoint } from "../../../src/control/admin/listeners-endpoint.ts";
import { loggingEndpoint } from "../../../src/control/admin/logging-endpoint.ts";
import { memoryEndpoint, quitEndpoint } from "../../../src/control/admin/process-endpoints.ts";
import { type ServerState, readyEndpoint } from "../../../src/control/admin/ready-endpoint.ts";
import { resetCountersEndpoint } from "../../../src/control/admin/reset-counters-endpoint.ts";
import {
  runtimeEndpoint,
  runtimeModifyEndpoint,
} from "../../../src/control/admin/runtime-endpoint.ts";
import { snapshotOf } from "../../../src/control/runtime/runtime-snapshot.ts";
import { prometheusEndpoint, statsEndpoint } from "../../../src/control/admin/stats-endpoint.ts";
import type { LogComponent, LogLevel } from "../../../src/shared/common/log.ts";
import type { StatSnapshot } from "../../../src/shared/stats/stat-snapshot.ts";
import { clusterView, listenerView } from "../../support/admin-views.ts";

function ask(endpoint: AdminEndpoint, query = "") {
  return endpoint.handle({ query: new URLSearchParams(query) });
}

test("/ready is 200 while LIVE and 503 with the state's name otherwise", () => {
  let state: ServerState = "INITIALIZING";
  const endpoint = readyEndpoint(() => state);
  assert.deepEqual([ask(endpoint).status, ask(endpoint).body], [503, "INITIALIZING\n"]);
  state = "LIVE";
  assert.deepEqual([ask(endpoint).status, ask(endpoint).body], [200, "LIVE\n"]);
});

test("/listeners lists active listeners by bound address", () => {
  const listeners = [
    listenerView({ name: "w", state: "warming" }),
    listenerView({
      name: "a",
      localAddresses: [
        { kind: "ip", ip: "::1", port: 1 },
        { kind: "pipe", path: "@x", mode: 0 },
      ],
    }),
    listenerView({ name: "d", state: "draining" }),
  ];
  const endpoint = listenersEndpoint(() => ({ version: "", listeners, errors: [], skipped: [] }));
  assert.equal(ask(endpoint).body, "a::[::1]:1\na::@x\n");
  assert.deepEqual(JSON.parse(ask(endpoint, "format=json").body), {
    listener_statuses: [
      {
        name: "a",
        local_address: { socket_address: { address: "::1", port_value: 1 } },
        additional_local_addresses: [{ pipe: { path: "@x" } }],
      },
    ],
  });
});

test("/clusters prints limits and hosts, in text and JSON, filtered", () => {
  const clusters = [clusterView(), clusterView({ name: "api", isStatic: false, version: "3" })];
  const endpoint = clustersEndpoint(() => ({ version: "", clusters, errors: [], skipped: [] }));
  const lines = ask(endpoint).body.split("\n");
  assert(lines.includes("c::default_priority::max_retries::3"));
  assert(lines.includes("c::high_priority::max_connections::1024"));
  assert(lines.includes("c::added_via_api::false"));
  assert(lines.includes("c::127.0.0.1:1::health_flags::healthy"));
  assert(lines.includes("api::version_info::3"));
  const { cluster_statuses: statuses } = JSON.parse(ask(endpoint, "format=json&filter=^a").body);
  assert.equal(statuses.length, 1);
  assert.equal(statuses[0].added_via_api, true);
  assert.equal(statuses[0].circuit_breakers.thresholds[1].priority, "HIGH");
  assert.equal(ask(endpoint, "filter=[").status, 400);
});

test("/drain_listeners reads its parameters by presence, /healthcheck sets the flag", () => {
  const drains: DrainRequest[] = [];
  const failures: boolean[] = [];
  const control = {
    drainListeners: (request: DrainRequest) => void drains.push(request),
    drainConnections: () => assert.fail("not of one listener"),
    setHealthCheckFailed: (failed: boolean) => void failures.push(failed),
  };
  const endpoint = drainListenersEndpoint(control);
  assert.equal(ask(endpoint).body, "OK\n");
  ask(endpoint, "graceful&inboundonly");
  ask(endpoint, "skip_exit=0");
  assert.deepEqual(drains, [
    { graceful: false, skipExit: false, inboundOnly: false },
    { graceful: true, skipExit: false, inboundOnly: true },
    { graceful: false, skipExit: true, inboundOnly: false },
  ]);
  ask(healthCheckFailEndpoint(control));
  ask(healthCheckOkEndpoint(control));
  assert.deepEqual(failures, [true, false]);
});

test("/drain_listeners?name drains connections of one listener, and refuses nonsense", () => {
  const drains: ConnectionDrainRequest[] = [];
  const control = {
    drainListeners: () => assert.fail("not of all listeners"),
    drainConnections(request: ConnectionDrainRequest) {
      drains.push(request);
      return request.listener === "a" ? ({ id: 7 } as DrainView) : undefined;
    },
    setHealthCheckFailed: () => {},
  };
  const endpoint = drainListenersEndpoint(control);
  assert.equal((JSON.parse(ask(endpoint, "name=a").body) as DrainView).id, 7);
  assert.equal(ask(endpoint, "name=a&percent=12.5&time=3").status, 200);
  const unknown = ask(endpoint, "name=nobody");
  assert.deepEqual([unknown.status, unknown.body], [404, "no active listener 'nobody'\n"]);
  assert.deepEqual(drains.slice(0, 2), [
    { listener: "a", share: 1, timeMs: undefined },
    { listener: "a", share: 0.125, timeMs: 3_000 },
  ]);
  const bad = [
    "percent=10",
    "time=1",
    "name=a&percent=0",
    "name=a&percent=101",
    "name=a&percent=",
    "name=a&time=-1",
    "name=a&time=",
    "name=a&time=1e9",
    "name=a&graceful",
  ];
  for (const query of bad) assert.equal(ask(endpoint, query).status, 400, query);
  assert.equal(drains.length, 3);
});

test("/logging changes all of a request or none of it", () => {
  const levels = new Map<LogComponent, LogLevel>();
  const endpoint = loggingEndpoint({
    level: (component) => levels.get(component) ?? "info",
    setLevel: (component, level) => void levels.set(component, level),
  });
  assert.match(ask(endpoint).body, /^active loggers:\n {2}admin: info\n/);
  assert.match(ask(endpoint, "level=debug").body, /upstream: debug\n/);
  assert.match(ask(endpoint, "upstream=trace").body, /upstream: trace\n/);
  ask(endpoint, "paths=admin:off,http:error");
  assert.equal(levels.get("admin"), "off");
  assert.equal(levels.get("http"), "error");
  const before = [...levels];
  for (const bad of [
    "level=loud",
    "nope=info",
    "paths=admin:info,nope:info",
    "paths=admin",
    "level=info&paths=x",
  ])
    assert.equal(ask(endpoint, bad).status, 400, bad);
  assert.deepEqual([...levels], before);
});

test("/quitquitquit answers before it quits", () => {
  let hasQuit = false;
  const response = ask(
    quitEndpoint(() => {
      hasQuit = true;
    }),
  );
  assert.equal(response.body, "OK\n");
  assert.equal(hasQuit, false);
  response.afterwards?.();
  assert.equal(hasQuit, true);
});

test("/memory prints 64-bit numbers as strings", () => {
  const use = { allocated: 5, heapSize: 8, physical: 13 };
  const memory = JSON.parse(ask(memoryEndpoint(() => use)).body);
  assert.equal(memory.allocated, "5");
  assert.equal(memory.pageheap_free, "3");
  assert.equal(memory.total_physical_bytes, "13");
});

test("/runtime lets the last layer that has a key win", () => {
  const share = '{"numerator":7,"denominator":"MILLION"}';
  const values = (texts: Readonly<Record<string, string>>) =>
    new Map(Object.entries(texts).map(([key, text]) => [key, { text }]));
  const snapshot = snapshotOf([
    { name: "base", values: values({ "a.b": "5", foo: "bar" }) },
    { name: "over", values: values({ foo: "true", share }) },
  ]);
  const endpoint = runtimeEndpoint(() => snapshot);
  assert.deepEqual(JSON.parse(ask(endpoint).body), {
    entries: {
      "a.b": { final_value: "5", layer_values: ["5", ""] },
      foo: { final_value: "true", layer_values: ["bar", "true"] },
      share: {
        final_value: '{"numerator":7,"denominator":"MILLION"}',
        layer_values: ["", '{"numerator":7,"denominator":"MILLION"}'],
      },
    },
    layers: ["base", "over"],
  });
});

test("/runtime_modify takes its keys from the query, or else from a form", () => {
  const changes: (readonly (readonly [string, string])[])[] = [];
  const endpoint = runtimeModifyEndpoint((change) => void changes.push([...change]));
  assert.equal(ask(endpoint, "a=1&b=").body, "OK\n");
  const form = new URLSearchParams("c=2");
  assert.equal(endpoint.handle({ query: new URLSearchParams(), form }).body, "OK\n");
  assert.deepEqual(changes, [
    [
      ["a", "1"],
      ["b", ""],
    ],
    [["c", "2"]],
  ]);
  assert.equal(ask(endpoint).status, 400);
  const closed = runtimeModifyEndpoint(() => "No admin layer specified");
  assert.equal(ask(closed, "a=1").status, 503);
});

test("/init_dump names what is waited for, by kind", () => {
  const listeners = [listenerView(), listenerView({ name: "w", awaiting: ["rds r"] })];
  const clusters = [clusterView({ name: "e", awaiting: ["eds e"] })];
  const endpoint = initDumpEndpoint({
    listeners: () => ({ version: "", listeners, errors: [], skipped: [] }),
    clusters: () => ({ version: "", clusters, errors: [], skipped: [] }),
    server: () => ["LDS"],
  });
  const names = (query: string) =>
    (JSON.parse(ask(endpoint, query).body).unready_targets_dumps ?? []).map(
      (dump: { target_names: string[] }) => dump.target_names.join(),
    );
  assert.deepEqual(names(""), ["LDS", "eds e", "rds r"]);
  assert.deepEqual(names("mask=listener"), ["rds r"]);
  assert.equal(ask(endpoint, "mask=other").body, "{}\n");
});

const snapshot: StatSnapshot = {
  counters: [
    { name: "cluster.c.a", value: 1, isUsed: true },
    { name: "cluster.c.b", value: 0, isUsed: false },
  ],
  gauges: [{ name: "server.live", value: 1, isUsed: true }],
  histograms: [],
  textReadouts: [],
};

test("/stats filters, chooses formats and refuses what it does not know", () => {
  const endpoint = statsEndpoint({ snapshot: () => snapshot });
  assert.equal(ask(endpoint).body, "cluster.c.a: 1\ncluster.c.b: 0\nserver.live: 1\n");
  assert.equal(ask(endpoint, "usedonly&filter=cluster").body, "cluster.c.a: 1\n");
  assert.equal(ask(endpoint, "filter=cluster&invert_filter").body, "server.live: 1\n");
  assert.equal(ask(endpoint, "type=Gauges").body, "server.live: 1\n");
  assert.equal(
    ask(endpoint, "format=json&type=Gauges").body,
    '{"stats":[{"name":"server.live","value":1}]}',
  );
  assert.match(ask(endpoint, "format=prometheus").body, /envoy_server_live\{\} 1/);
  assert.match(ask(endpoint, "format=foo").body, /^usage: \/stats\?format=/);
  for (const bad of ["format=foo", "format=html", "type=foo", "filter=["])
    assert.equal(ask(endpoint, bad).status, 400, bad);
  assert.equal(ask(endpoint, "type=foo").body, "invalid &type= param");
  const prometheus = prometheusEndpoint({ snapshot: () => snapshot });
  assert.match(ask(prometheus, "usedonly").body, /envoy_cluster_a\{envoy_cluster_name="c"\} 1/);
});

test("/reset_counters resets", () => {
  let resets = 0;
  ask(resetCountersEndpoint({ resetCounters: () => void resets++ }));
  assert.equal(resets, 1);
});
