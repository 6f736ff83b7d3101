import assert from "node:assert/strict";
import { test } from "node:test";
import { clustersEndpoint } from "../../../src/control/admin/clusters-endpoint.ts";
import {
  healthCheckFailEndpoint,
  healthCheckOkEndpoint,
} from "../../../src/control/admin/drain-endpoints.ts";
import type { AdminEndpoint } from "../../../src/control/admin/endpoint.ts";
import { initDumpEndpoint } from "../../../src/control/admin/init-dump-endpoint.ts";
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
  const clusters = [
    clusterView({ hostBlocks: [7] }),
    clusterView({ name: "api", isStatic: false, version: "3" }),
  ];
  const counts = {
    cxTotal: 3,
    cxActive: 1,
    cxConnectFail: 0,
    rqTotal: 9,
    rqActive: 2,
    rqPendingActive: 0,
    rqSuccess: 6,
    rqError: 1,
    rqTimeout: 0,
  };
  const none = { ...counts, cxTotal: 0, cxActive: 0, rqTotal: 0, rqActive: 0 };
  const endpoint = clustersEndpoint(
    () => ({ version: "", clusters, errors: [], skipped: [] }),
    (block) => (block === 7 ? counts : none),
  );
  const lines = ask(endpoint).body.split("\n");
  assert(lines.includes("c::default_priority::max_retries::3"));
  assert(lines.includes("c::high_priority::max_connections::1024"));
  assert(lines.includes("c::added_via_api::false"));
  assert(lines.includes("c::127.0.0.1:1::health_flags::healthy"));
  assert(lines.includes("api::version_info::3"));
  const ofHost = lines.filter((line) => line.startsWith("c::127.0.0.1:1::"));
  assert.deepEqual(
    ofHost.map((line) => line.split("::").slice(2).join("=")),
    [
      "cx_active=1",
      "cx_connect_fail=0",
      "cx_total=3",
      "rq_active=2",
      "rq_error=1",
      "rq_pending_active=0",
      "rq_success=6",
      "rq_timeout=0",
      "rq_total=9",
      "hostname=",
      "health_flags=healthy",
      "weight=1",
      "region=",
      "zone=",
      "sub_zone=",
      "canary=false",
      "priority=0",
      "success_rate=-1",
      "local_origin_success_rate=-1",
    ],
  );
  const { cluster_statuses: statuses } = JSON.parse(ask(endpoint, "format=json&filter=^a").body);
  assert.equal(statuses.length, 1);
  assert.equal(statuses[0].added_via_api, true);
  assert.equal(statuses[0].circuit_breakers.thresholds[1].priority, "HIGH");
  assert.equal(ask(endpoint, "filter=[").status, 400);
});

test("/healthcheck sets the flag", () => {
  const failures: boolean[] = [];
  const set = (failed: boolean): void => void failures.push(failed);
  ask(healthCheckFailEndpoint(set));
  ask(healthCheckOkEndpoint(set));
  assert.deepEqual(failures, [true, false]);
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
