import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigDumpSource, UnsupportedField } from "../../../src/control/admin/config-dump.ts";
import { configDumpEndpoint } from "../../../src/control/admin/config-dump-endpoint.ts";
import type { TypeStatus } from "../../../src/control/xds/xds-status.ts";
import { clusterView, listenerView } from "../../support/admin-views.ts";

const unsupported: UnsupportedField[] = [];

/** A type of which some names stand refused. */
function refusals(shortName: string, ...names: readonly string[]): TypeStatus {
  const refused = { version: "v9", bytes: new Uint8Array() };
  const resources = names.map((name) => ({
    name,
    state: "nacked" as const,
    version: "",
    errors: ["x", "y"],
    sinceMs: 9_000,
    refused,
  }));
  return { typeUrl: "", shortName, version: "", acceptedAtMs: 0, nack: undefined, resources };
}

const source: ConfigDumpSource = {
  unsupportedFields: () => unsupported,
  bootstrap: { bytes: new Uint8Array(), loadedAtMs: 0 },
  clusters: () => ({
    version: "c1",
    clusters: [
      clusterView(),
      clusterView({
        name: "eds",
        isStatic: false,
        version: "c1",
        assignment: { version: "e1", bytes: new Uint8Array() },
      }),
    ],
    errors: [],
    skipped: [],
  }),
  listeners: () => ({
    version: "l2",
    listeners: [
      listenerView({ name: "fixed", isStatic: true, version: "" }),
      listenerView({ name: "a", version: "l2", updateClass: "full", changed: ["socket_options"] }),
      listenerView({ name: "a", version: "l1", state: "draining" }),
      listenerView({ name: "a", version: "l0", state: "draining" }),
      listenerView({ name: "w", state: "warming", awaiting: ["rds r"] }),
    ],
    errors: [
      { name: "bad", version: "l2", details: "no", bytes: new Uint8Array(), lastAttemptMs: 0 },
    ],
    skipped: [
      { name: "fixed", version: "l2", details: "why", bytes: new Uint8Array(), lastAttemptMs: 0 },
    ],
  }),
  controlPlanes: () => [
    {
      server: "ads",
      serverIdentifier: "",
      stream: { kind: "open" },
      types: [refusals("RDS", "r", "gone"), refusals("EDS", "eds", "late")],
    },
  ],
  routes: () => [{ name: "r", version: "r1", bytes: new Uint8Array(), lastUpdatedMs: 0 }],
  secrets: () => [],
  extensions: () => [],
  scopedRoutes: () => [],
  render: (typeName) => ({ name: typeName.split(".").at(-1), inner: { a: 1, b: 2 } }),
};

function dump(query: string) {
  const endpoint = configDumpEndpoint(source);
  const { status, body } = endpoint.handle({ query: new URLSearchParams(query) });
  const json = status === 200 ? JSON.parse(body) : undefined;
  return { status, body, configs: json?.configs };
}

const typeOf = (config: { "@type": string }): string => config["@type"].split(".").at(-1) ?? "";

test("/config_dump has Envoy's sections in its order, endpoints on demand", () => {
  const whole = ["Bootstrap", "Clusters", "Listeners", "ScopedRoutes", "Routes", "Secrets"];
  assert.deepEqual(
    dump("").configs.map(typeOf),
    whole.map((name) => `${name}ConfigDump`),
  );
  assert.equal(typeOf(dump("include_eds").configs[2]), "EndpointsConfigDump");
});

test("/config_dump shows every state of a listener, each draining version too", () => {
  const [, , listeners] = dump("").configs;
  assert.equal(listeners.version_info, "l2");
  assert.equal(listeners.static_listeners.length, 1);
  const [a, second, w, bad, skipped] = listeners.dynamic_listeners;
  assert.equal(a.active_state.version_info, "l2");
  assert.equal(a.active_state.update_class, "full");
  assert.deepEqual(a.active_state.changed_fields, ["socket_options"]);
  assert.equal(a.draining_state.version_info, "l1");
  assert.equal(second.draining_state.version_info, "l0");
  assert.deepEqual(w.warming_state.awaiting, ["rds r"]);
  assert.equal(bad.error_state.details, "no");
  assert.equal(skipped.name, "fixed");
  assert.equal(skipped.error_state.details, "skipped: why");
});

test("/config_dump tells what was refused of routes and endpoints, beside what serves or alone", () => {
  const [, , endpoints, , , routes] = dump("include_eds").configs;
  const [kept, gone] = routes.dynamic_route_configs;
  assert.equal(kept.version_info, "r1");
  assert.deepEqual(kept.error_state, {
    failed_configuration: kept.route_config,
    last_update_attempt: "1970-01-01T00:00:09.000Z",
    details: "x; y",
    version_info: "v9",
  });
  assert.deepEqual(Object.keys(gone), ["error_state"]);
  assert.deepEqual(
    endpoints.dynamic_endpoint_configs.map((each: object) => Object.keys(each).at(-1)),
    ["error_state", "error_state"],
  );
});

test("/config_dump?resource gives the elements, 404 for what is no resource", () => {
  const { configs } = dump("resource=dynamic_listeners");
  assert.equal(configs.length, 5);
  assert.match(configs[0]["@type"], /envoy\.admin\.v3\.ListenersConfigDump\.DynamicListener$/);
  assert.equal(dump("resource=dynamic_endpoint_configs").configs.length, 2);
  assert.equal(typeOf(dump("resource=bootstrap").configs[0]), "BootstrapConfigDump");
  assert.equal(dump("resource=dynamic_warming_clusters").body, "{}\n");
  const unknown = dump("resource=foo");
  assert.equal(unknown.status, 404);
  assert.equal(unknown.body, "foo not found in config dump");
});

test("/config_dump?mask trims sections and elements, 400 where it fits nothing", () => {
  const { configs } = dump("resource=static_listeners&mask=listener.inner.b");
  assert.deepEqual(configs, [
    {
      "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump.StaticListener",
      listener: {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        inner: { b: 2 },
      },
    },
  ]);
  const masked = dump("mask=bootstrap").configs;
  assert.equal(masked.length, 1);
  assert.deepEqual(Object.keys(masked[0]), ["@type", "bootstrap"]);
  const wrong = dump("mask=foo");
  assert.equal(wrong.status, 400);
  assert.match(wrong.body, /^FieldMask foo could not be successfully applied/);
});

test("/config_dump?name_regex keeps resources by name; a bad expression is a 400", () => {
  const [, clusters, listeners] = dump("name_regex=^ed").configs;
  assert.equal(clusters.static_clusters, undefined);
  assert.equal(clusters.dynamic_active_clusters.length, 1);
  assert.equal(listeners.dynamic_listeners, undefined);
  const bad = dump("name_regex=[");
  assert.equal(bad.status, 400);
  assert.match(bad.body, /^Invalid re2 regex: missing/);
});

test("/config_dump says which fields are not honoured, if any", (t) => {
  assert.equal(JSON.parse(dump("").body).unsupported_fields, undefined);
  t.after(() => unsupported.splice(0));
  unsupported.push({ field: "a.B.c", reason: "not built", count: 2 });
  assert.deepEqual(JSON.parse(dump("").body).unsupported_fields, unsupported);
});
