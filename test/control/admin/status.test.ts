import assert from "node:assert/strict";
import { test } from "node:test";
import { type StatusSource, statusView } from "../../../src/control/admin/status.ts";
import { statusEndpoint } from "../../../src/control/admin/status-endpoint.ts";
import type { DrainView } from "../../../src/control/listener/drain-view.ts";
import type { ResourceStatus, TypeStatus } from "../../../src/control/xds/xds-status.ts";
import { clusterView, listenerView } from "../../support/admin-views.ts";

const acked = (name: string, version: string): ResourceStatus => ({
  ...missing(name, "acked"),
  version,
});

function missing(name: string, state: ResourceStatus["state"]): ResourceStatus {
  return { name, state, version: "", errors: [], sinceMs: 9_000, refused: undefined };
}

/** Version `v9` was. */
function nacked(name: string, ...errors: readonly string[]): ResourceStatus {
  return {
    ...missing(name, "nacked"),
    errors,
    refused: { version: "v9", bytes: new Uint8Array() },
  };
}

function type(shortName: string, resources: readonly ResourceStatus[]): TypeStatus {
  const nack = { version: "v9", detail: "all of it", timeMs: 9_000 };
  return {
    typeUrl: shortName,
    shortName,
    version: "v1",
    acceptedAtMs: 0,
    nack: resources.some(({ state }) => state === "nacked") ? nack : undefined,
    resources,
  };
}

function statusOf(types: readonly TypeStatus[], source: Partial<StatusSource> = {}) {
  const stream = { kind: "open" } as const;
  const view = statusView({
    controlPlanes: () => [{ server: "ads", serverIdentifier: "cp-1", stream, types }],
    listeners: () => ({ version: "", listeners: [], errors: [], skipped: [] }),
    clusters: () => ({ version: "", clusters: [], errors: [], skipped: [] }),
    routes: () => [],
    secrets: () => [],
    extensions: () => [],
    scopedRoutes: () => [],
    drains: () => ({ drains: [] }),
    ...source,
  });
  return view.resources.map((row) => [row.name, row.version, row.answer, row.state, row.reason]);
}

const failed = { bytes: new Uint8Array(), lastAttemptMs: 0 };

test("a refused update is a row of its own beside the version that serves", () => {
  const refused = { ...nacked("a", "no"), version: "v1" };
  const rows = statusOf([type("LDS", [refused])], {
    listeners: () => ({
      version: "v1",
      listeners: [listenerView({ name: "a", version: "v1" })],
      errors: [{ name: "a", version: "v9", details: "no", ...failed }],
      skipped: [],
    }),
  });
  assert.deepEqual(rows, [
    ["a", "v1", "nacked", "active", null],
    ["a", "v9", "nacked", "nacked", "no"],
  ]);
});

test("what was skipped is shown though it was ACKed; the bootstrap's own has no answer", () => {
  const rows = statusOf([type("LDS", [acked("fixed", "v2")])], {
    listeners: () => ({
      version: "",
      listeners: [listenerView({ name: "fixed", isStatic: true, version: "" })],
      errors: [],
      skipped: [{ name: "fixed", version: "v2", details: "the bootstrap has it", ...failed }],
    }),
  });
  assert.deepEqual(rows, [
    ["fixed", "", null, "active", null],
    ["fixed", "v2", "acked", "skipped", "the bootstrap has it"],
  ]);
});

test("resources that only xDS knows of: requested, absent, refused, received", () => {
  const rows = statusOf(
    [
      type("RDS", [
        missing("r1", "requested"),
        missing("r2", "absent"),
        nacked("r3", "x", "y"),
        acked("r4", "v1"),
        acked("r5", "v1"),
      ]),
    ],
    { routes: () => [{ name: "r5", version: "v1", bytes: new Uint8Array(), lastUpdatedMs: 0 }] },
  );
  assert.deepEqual(rows, [
    ["r1", "", "requested", "requested", null],
    ["r2", "", "absent", "absent", null],
    ["r3", "v9", "nacked", "nacked", "x; y"],
    ["r4", "v1", "acked", "received", null],
    ["r5", "v1", "acked", "active", null],
  ]);
});

test("a resource that is not here says since when: asked for, refused or missed", () => {
  const states = [missing("r1", "requested"), missing("r2", "absent"), nacked("r3", "x")];
  const stream = { kind: "open" } as const;
  const { resources } = statusView({
    controlPlanes: () => [
      { server: "ads", serverIdentifier: "", stream, types: [type("RDS", states)] },
    ],
    listeners: () => ({ version: "", listeners: [], errors: [], skipped: [] }),
    clusters: () => ({ version: "", clusters: [], errors: [], skipped: [] }),
    routes: () => [],
    secrets: () => [],
    extensions: () => [],
    scopedRoutes: () => [],
    drains: () => ({ drains: [] }),
  });
  assert.deepEqual(
    resources.map(({ since }) => since),
    states.map(() => "1970-01-01T00:00:09.000Z"),
  );
});

test("a draining version shows its own drain, a stopped one that it is stopped", () => {
  const drain = (id: number, generation: number, chains: readonly string[] | null) =>
    ({
      id,
      cause: "lds-replace",
      listener: "a",
      process_generation: null,
      generation,
      version: `v${generation}`,
      filter_chains: chains,
      state: "draining",
      started_at: "1970-01-01T00:00:05.000Z",
      deadline: "1970-01-01T00:10:05.000Z",
      connections: { remaining: 2, at_start: 3 },
    }) as unknown as DrainView;
  const rows = statusOf([], {
    listeners: () => ({
      version: "",
      listeners: [
        listenerView({ name: "a", version: "v2", state: "draining", generation: 2 }),
        listenerView({ name: "a", version: "v3", generation: 3, isStopped: true }),
      ],
      errors: [],
      skipped: [],
    }),
    drains: () => ({ drains: [drain(1, 2, ["chain"]), drain(2, 2, null)] }),
  });
  assert.deepEqual(
    rows.map(([, version, , state]) => [version, state]),
    [
      ["v2", "draining"],
      ["v3", "stopped"],
      ["v2", "draining"],
    ],
  );
  assert.match(String(rows[0]?.[4]), /^drain 2, lds-replace: 2 of 3 connections left, until 1970/);
  assert.match(String(rows[2]?.[4]), /^filter chains chain; drain 1,/);
});

test("a warming cluster says what for; assignments go by their own name", () => {
  const eds = clusterView({
    name: "c",
    isStatic: false,
    assignment: { version: "e1", bytes: new Uint8Array() },
  });
  const rows = statusOf([type("EDS", [acked("service", "e1")])], {
    clusters: () => ({
      version: "",
      clusters: [
        { ...eds, config: { ...eds.config, discovery: { kind: "eds", serviceName: "service" } } },
        clusterView({ name: "w", isStatic: false, state: "warming", awaiting: ["eds w"] }),
      ],
      errors: [],
      skipped: [],
    }),
  });
  assert.deepEqual(
    rows.map(([name, , answer, state]) => [name, answer, state]),
    [
      ["c", null, "active"],
      ["w", null, "warming"],
      ["service", "acked", "active"],
    ],
  );
});

test("/status filters by name and refuses a bad expression", () => {
  const endpoint = statusEndpoint({
    controlPlanes: () => [],
    listeners: () => ({
      version: "",
      listeners: [listenerView({ name: "a" }), listenerView({ name: "b" })],
      errors: [],
      skipped: [],
    }),
    clusters: () => ({ version: "", clusters: [], errors: [], skipped: [] }),
    routes: () => [],
    secrets: () => [],
    extensions: () => [],
    scopedRoutes: () => [],
    drains: () => ({ drains: [] }),
  });
  const ask = (query: string) => endpoint.handle({ query: new URLSearchParams(query) });
  const { resources } = JSON.parse(ask("name_regex=^b").body) as { resources: { name: string }[] };
  assert.deepEqual(
    resources.map(({ name }) => name),
    ["b"],
  );
  assert.equal(ask("name_regex=[").status, 400);
});
