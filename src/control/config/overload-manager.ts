/**
 * `overload_manager`: which resources are watched, and what is done when one of them runs short. Triggers name
 * monitors by their names, which are free; actions have Envoy's.
 */
import type {
  OverloadManager,
  ResourceMonitor,
  Trigger,
} from "../../../gen/es/envoy/config/overload/v3/overload_pb.d.ts";
import type { DownstreamConnectionsConfig } from "../../../gen/es/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.d.ts";
import type { FixedHeapConfig } from "../../../gen/es/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.d.ts";
import type { InjectedResourceConfig } from "../../../gen/es/envoy/extensions/resource_monitors/injected_resource/v3/injected_resource_pb.d.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";

export const overloadActions = [
  "stop_accepting_requests",
  "stop_accepting_connections",
  "reject_incoming_connections",
  "disable_http_keepalive",
  "shrink_heap",
] as const;
export type OverloadActionName = (typeof overloadActions)[number];

export const loadShedPoints = [
  "tcp_listener_accept",
  "http_connection_manager_decode_headers",
] as const;
export type LoadShedPointName = (typeof loadShedPoints)[number];

const types = "envoy.extensions.resource_monitors";

/** Envoy's that are not built. */
const otherActions = ["reduce_timeouts", "reset_high_memory_stream"];

export interface OverloadConfig {
  readonly refreshMs: number;
  readonly monitors: readonly MonitorConfig[];
  readonly actions: readonly TriggeredBy<OverloadActionName>[];
  readonly loadShedPoints: readonly TriggeredBy<LoadShedPointName>[];
}

export type MonitorConfig = { readonly name: string } & (
  | { readonly kind: "fixedHeap"; readonly bytesMax: number }
  /** The pressure is what a file says: for tests. */
  | { readonly kind: "injectedResource"; readonly file: string }
  /** Asked at each accept; it triggers nothing. */
  | { readonly kind: "downstreamConnections"; readonly max: number }
);

export interface TriggeredBy<Name extends string> {
  readonly name: Name;
  readonly triggers: readonly TriggerConfig[];
}

/** Pressures are 0 … 1. Off up to `from`, on in part above it, wholly from `to` on; both are one for a threshold. */
export interface TriggerConfig {
  readonly monitor: string;
  readonly from: number;
  readonly to: number;
}

export function decodeOverloadManager(
  message: OverloadManager,
  context: DecodeContext,
): OverloadConfig {
  const names = new Set<string>();
  const monitors = message.resourceMonitors.flatMap((monitor) => {
    if (names.has(monitor.name)) context.refuse(`Duplicate resource monitor ${monitor.name}`);
    names.add(monitor.name);
    return decodeMonitor(monitor, context) ?? [];
  });
  return {
    refreshMs: Math.max(1, durationMsOr(message.refreshInterval, 1_000)),
    monitors,
    actions: decodeNamed(message.actions, { names, context }, actionKind),
    loadShedPoints: decodeNamed(message.loadshedPoints, { names, context }, loadShedKind),
  };
}

/** Undefined: not known, and refused. */
function decodeMonitor(
  { name, configType }: ResourceMonitor,
  context: DecodeContext,
): MonitorConfig | undefined {
  const found = findExtension("resource monitor", { name, any: configType.value }, context);
  const { protos } = context;
  if (found?.extension.kind === "fixedHeap") {
    const schema = protos.schema<FixedHeapConfig>(`${types}.fixed_heap.v3.FixedHeapConfig`);
    const config = context.read(found.config, schema);
    return config && { name, kind: "fixedHeap", bytesMax: Number(config.maxHeapSizeBytes) };
  }
  if (found?.extension.kind === "injectedResource") {
    const typeName = `${types}.injected_resource.v3.InjectedResourceConfig` as const;
    const config = context.read(found.config, protos.schema<InjectedResourceConfig>(typeName));
    return config && { name, kind: "injectedResource", file: config.filename };
  }
  if (!found) return undefined;
  const typeName = `${types}.downstream_connections.v3.DownstreamConnectionsConfig` as const;
  const config = context.read(found.config, protos.schema<DownstreamConnectionsConfig>(typeName));
  if (!config) return undefined;
  // Envoy knows this one by its name, the others by their type.
  if (name !== found.extension.name)
    context.refuse(
      `Didn't find a registered implementation for '${name}' with type URL: '${typeName}'`,
    );
  // Counted in 32 bits.
  const max = Math.min(Number(config.maxActiveDownstreamConnections), 2 ** 31 - 1);
  return { name, kind: "downstreamConnections", max };
}

interface Kind<Name extends string> {
  readonly prefix: string;
  readonly known: readonly Name[];
  /** In Envoy's texts. */
  readonly noun: string;
  onUnknown(name: string, context: DecodeContext): void;
}

const actionKind: Kind<OverloadActionName> = {
  prefix: "envoy.overload_actions.",
  known: overloadActions,
  noun: "overload action",
  onUnknown: (name, context) =>
    context.refuse(
      otherActions.includes(name.slice("envoy.overload_actions.".length))
        ? `overload action ${name} is not built, built are ${overloadActions.join(", ")}`
        : `Unknown Overload Manager Action ${name}`,
    ),
};

const loadShedKind: Kind<LoadShedPointName> = {
  prefix: "envoy.load_shed_points.",
  known: loadShedPoints,
  noun: "loadshed point",
  // As Envoy does with any name: no place asks for it.
  onUnknown: (name, context) =>
    context.warn(
      "envoy.config.overload.v3.LoadShedPoint.name",
      `nothing is shed at '${name}', only at ${loadShedPoints.join(", ")}`,
    ),
};

function decodeNamed<Name extends string>(
  messages: readonly { readonly name: string; readonly triggers: readonly Trigger[] }[],
  { names, context }: { readonly names: ReadonlySet<string>; readonly context: DecodeContext },
  kind: Kind<Name>,
): readonly TriggeredBy<Name>[] {
  const seen = new Set<string>();
  return messages.flatMap(({ name, triggers }) => {
    if (seen.has(name)) context.refuse(`Duplicate ${kind.noun} ${name}`);
    seen.add(name);
    const decoded = decodeTriggers(triggers, `${kind.noun} ${name}`, { names, context });
    const known = kind.known.find((each) => `${kind.prefix}${each}` === name);
    if (known === undefined) {
      kind.onUnknown(name, context);
      return [];
    }
    return [{ name: known, triggers: decoded }];
  });
}

function decodeTriggers(
  triggers: readonly Trigger[],
  what: string,
  { names, context }: { readonly names: ReadonlySet<string>; readonly context: DecodeContext },
): readonly TriggerConfig[] {
  const seen = new Set<string>();
  return triggers.flatMap(({ name, triggerOneof }) => {
    if (!names.has(name)) context.refuse(`Unknown trigger resource ${name} for ${what}`);
    if (seen.has(name)) context.refuse(`Duplicate trigger resource for ${what}`);
    seen.add(name);
    if (triggerOneof.case === "threshold") {
      const { value } = triggerOneof.value;
      return [{ monitor: name, from: value, to: value }];
    }
    const { scalingThreshold: from = 0, saturationThreshold: to = 0 } = triggerOneof.value ?? {};
    if (from >= to) context.refuse("scaling_threshold must be less than saturation_threshold");
    return [{ monitor: name, from, to }];
  });
}
