import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBootstrap } from "../../../src/control/config/bootstrap.ts";
import { configTools, errorsOf, valueOf } from "../../support/config-tools.ts";

const decode = (text: string) =>
  decodeBootstrap(configTools, {
    text: `overload_manager: ${text}`,
    yaml: "",
    node: { id: "", cluster: "", zone: "" },
  });

const types = "type.googleapis.com/envoy.extensions.resource_monitors";
const heap = `{name: heap, typed_config: {"@type": ${types}.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1000}}`;
const file = `{name: file, typed_config: {"@type": ${types}.injected_resource.v3.InjectedResourceConfig, filename: /x}}`;
const connectionsName = "envoy.resource_monitors.global_downstream_max_connections";
const connections = `{name: ${connectionsName}, typed_config: {"@type": ${types}.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: 3}}`;
const trigger = "{name: heap, threshold: {value: 0.5}}";
const shrink = `{name: envoy.overload_actions.shrink_heap, triggers: [${trigger}]}`;
const withActions = (...actions: string[]) =>
  `{resource_monitors: [${heap}], actions: [${actions.join()}]}`;
const withPoints = (...points: string[]) =>
  `{resource_monitors: [${heap}], loadshed_points: [${points.join()}]}`;

test("monitors, actions, points and triggers are read", () => {
  const { overload } = valueOf(
    decode(`
      {refresh_interval: 0.25s, resource_monitors: [${heap}, ${file}, ${connections}],
      actions: [${shrink}, {name: envoy.overload_actions.disable_http_keepalive, triggers: [
        {name: file, scaled: {scaling_threshold: 0.5, saturation_threshold: 0.75}}]}],
      loadshed_points: [{name: envoy.load_shed_points.tcp_listener_accept, triggers: [${trigger}]}]}`),
  );
  const half = { monitor: "heap", from: 0.5, to: 0.5 };
  assert.deepEqual(overload, {
    refreshMs: 250,
    monitors: [
      { name: "heap", kind: "fixedHeap", bytesMax: 1_000 },
      { name: "file", kind: "injectedResource", file: "/x" },
      { name: connectionsName, kind: "downstreamConnections", max: 3 },
    ],
    actions: [
      { name: "shrink_heap", triggers: [half] },
      { name: "disable_http_keepalive", triggers: [{ monitor: "file", from: 0.5, to: 0.75 }] },
    ],
    loadShedPoints: [{ name: "tcp_listener_accept", triggers: [half] }],
  });
  assert.equal(valueOf(decode(`{resource_monitors: [${heap}]}`)).overload?.refreshMs, 1_000);
});

/** In Envoy's words, tried on 1.40. */
const refused: readonly (readonly [what: string, text: string, error: RegExp])[] = [
  [
    "a monitor twice",
    `{resource_monitors: [${heap}, ${heap}]}`,
    /^Duplicate resource monitor heap$/,
  ],
  [
    "an unknown action",
    withActions(`{name: foo, triggers: [${trigger}]}`),
    /^Unknown Overload Manager Action foo$/,
  ],
  [
    "an action that is not built",
    withActions(`{name: envoy.overload_actions.reduce_timeouts, triggers: [${trigger}]}`),
    /^overload action envoy.overload_actions.reduce_timeouts is not built, built are stop_accepting_requests, /,
  ],
  [
    "an action twice",
    withActions(shrink, shrink),
    /^Duplicate overload action envoy.overload_actions.shrink_heap$/,
  ],
  [
    "an unknown resource",
    withActions(shrink.replace("name: heap", "name: a")),
    /^Unknown trigger resource a for overload action envoy.overload_actions.shrink_heap$/,
  ],
  [
    "an unknown resource of a point",
    withPoints("{name: p, triggers: [{name: a, threshold: {value: 0.5}}]}"),
    /^Unknown trigger resource a for loadshed point p$/,
  ],
  [
    "a resource twice",
    withActions(shrink.replace(trigger, `${trigger}, ${trigger}`)),
    /^Duplicate trigger resource for overload action envoy.overload_actions.shrink_heap$/,
  ],
  [
    "thresholds the wrong way round",
    withActions(
      shrink.replace(
        "threshold: {value: 0.5}",
        "scaled: {scaling_threshold: 0.5, saturation_threshold: 0.4}",
      ),
    ),
    /^scaling_threshold must be less than saturation_threshold$/,
  ],
  [
    "the monitor of connections under another name",
    `{resource_monitors: [${connections.replace(connectionsName, "cx")}]}`,
    /^Didn't find a registered implementation for 'cx' with type URL: 'envoy.*DownstreamConnectionsC/,
  ],
  ["no monitor", "{actions: []}", /ResourceMonitors: value must contain at least 1 item/i],
  [
    "an unknown monitor",
    '{resource_monitors: [{name: m, typed_config: {"@type": type.googleapis.com/google.protobuf.Empty}}]}',
    /Didn't find a registered implementation for 'm'.*built are envoy.resource_monitors.fixed_heap/,
  ],
];

for (const [what, text, error] of refused)
  test(`an overload manager is refused: ${what}`, () => {
    const errors = errorsOf(decode(text));
    assert.equal(errors.length, 1, errors.join("\n"));
    assert.match(errors[0] ?? "", error);
  });

test("a load shed point that is not built is warned of by name", () => {
  const result = decode(
    withPoints(
      `{name: envoy.load_shed_points.http1_server_abort_dispatch, triggers: [${trigger}]}`,
    ),
  );
  assert(result.ok);
  assert.match(
    result.warnings[0]?.reason ?? "",
    /^nothing is shed at 'envoy.load_shed_points.http1_server_abort_dispatch', only at tcp_listener/,
  );
});
