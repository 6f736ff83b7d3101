import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type ClientStatusSource,
  clientResources,
  clientStatuses,
} from "../../../src/control/admin/client-status.ts";
import type { ResourceStatus, TypeStatus } from "../../../src/control/xds/xds-status.ts";
import { clusterView, listenerView } from "../../support/admin-views.ts";

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function type(typeUrl: string, resources: readonly Partial<ResourceStatus>[]): TypeStatus {
  return {
    typeUrl: `type.googleapis.com/${typeUrl}`,
    shortName: "",
    version: "1",
    acceptedAtMs: 0,
    nack: { version: "9", detail: "", timeMs: 9_000 },
    resources: resources.map((resource) => ({
      name: "a",
      state: "acked",
      version: "1",
      errors: [],
      sinceMs: 9_000,
      refused: undefined,
      ...resource,
    })),
  };
}

function resources(types: readonly TypeStatus[], source: Partial<ClientStatusSource> = {}) {
  return clientResources({
    controlPlanes: () => [{ server: "s", serverIdentifier: "", stream: { kind: "open" }, types }],
    listeners: () => ({ version: "", listeners: [], errors: [], skipped: [] }),
    clusters: () => ({ version: "", clusters: [], errors: [], skipped: [] }),
    routes: () => [],
    scopedRoutes: () => [],
    ...source,
  });
}

test("of a name in several states the version that was accepted last is shown", () => {
  const listeners = [
    listenerView({ name: "a", version: "3", state: "warming", bytes: bytes(3) }),
    listenerView({ name: "a", version: "2", bytes: bytes(2) }),
    listenerView({ name: "a", version: "1", state: "draining" }),
    listenerView({ name: "gone", version: "1", state: "draining" }),
  ];
  const found = resources([type("envoy.config.listener.v3.Listener", [{ name: "a" }])], {
    listeners: () => ({ version: "", listeners, errors: [], skipped: [] }),
  });
  assert.deepEqual(
    found.map((each) => [each.name, each.version, each.bytes, each.status]),
    [["a", "3", bytes(3), clientStatuses.acked]],
  );
});

test("a refused update keeps the accepted bytes and has its own in the error", () => {
  const nacked = { name: "a", state: "nacked", errors: ["no"] } as const;
  const error = { name: "a", version: "9", details: "no", bytes: bytes(9), lastAttemptMs: 5 };
  const [found, ...others] = resources([type("envoy.config.cluster.v3.Cluster", [nacked])], {
    clusters: () => ({
      version: "",
      clusters: [clusterView({ name: "a", version: "1", isStatic: false, bytes: bytes(1) })],
      errors: [error],
      skipped: [],
    }),
  });
  assert.equal(others.length, 0);
  assert.deepEqual([found?.version, found?.bytes, found?.status], ["1", bytes(1), 4]);
  assert.deepEqual(found?.error?.bytes, bytes(9));
});

test("what was skipped is ACKed, and its error says why it does not serve", () => {
  const skip = { name: "s", version: "2", details: "why", bytes: bytes(2), lastAttemptMs: 5 };
  const [found] = resources([type("envoy.config.listener.v3.Listener", [{ name: "s" }])], {
    listeners: () => ({
      version: "",
      listeners: [listenerView({ name: "s", isStatic: true, version: "", bytes: bytes(1) })],
      errors: [],
      skipped: [skip],
    }),
  });
  assert.deepEqual([found?.status, found?.isStatic], [clientStatuses.acked, true]);
  assert.equal(found?.error?.details, "skipped: why");
});

test("types without a manager are there by name, with their status and reason", () => {
  const refused = { version: "9", bytes: bytes(1) };
  const found = resources([
    type("a.Secret", [
      { name: "r", state: "requested", version: "" },
      { name: "x", state: "absent", version: "" },
      { name: "n", state: "nacked", version: "", errors: ["p", "q"], refused },
    ]),
  ]);
  assert.deepEqual(
    found.map(({ name, status, error }) => [name, status, error]),
    [
      ["r", clientStatuses.requested, undefined],
      ["x", clientStatuses.absent, undefined],
      ["n", clientStatuses.nacked, { details: "p; q", ...refused, lastAttemptMs: 9_000 }],
    ],
  );
});
