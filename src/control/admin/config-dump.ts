/**
 * The sections of `/config_dump` as JSON (`envoy.admin.v3.*ConfigDump`), built from the managers' views.
 * Fields of ours are additions that a reader of Envoy's dump may ignore: on a listener's state (`generation`,
 * `update_class`, `changed_fields`), and `unsupported_fields` beside `configs`. Unlike Envoy's, every draining version of a name is shown: one
 * entry for each beyond the first.
 */
import type { ClusterView, ClustersView } from "../cluster/cluster-view.ts";
import type { ListenerView, ListenersView } from "../listener/listener-view.ts";
import type { ExtensionView } from "../listener/ecds-api.ts";
import type { RouteView } from "../listener/rds-view.ts";
import type { ScopeSetView } from "../listener/scope-view.ts";
import { canonicalName } from "../proto/xdstp-name.ts";
import type { SecretView } from "../secret/secret-view.ts";
import type { XdsStatus } from "../xds/xds-status.ts";
import {
  type DumpedResource,
  type DumpSection,
  dumpedAny,
  type Json,
  type RenderMessage,
  timestamp,
} from "./dump-values.ts";
import { ecdsSections } from "./ecds-dump.ts";
import { secretsSection } from "./secrets-dump.ts";

/** A field that was set, accepted and not honoured. */
export interface UnsupportedField {
  readonly field: string;
  readonly reason: string;
  /** How often it came. */
  readonly count: number;
}

export interface ConfigDumpSource {
  readonly unsupportedFields: () => readonly UnsupportedField[];
  readonly bootstrap: { readonly bytes: Uint8Array; readonly loadedAtMs: number };
  readonly clusters: () => ClustersView;
  readonly listeners: () => ListenersView;
  readonly routes: () => readonly RouteView[];
  readonly scopedRoutes: () => readonly ScopeSetView[];
  /** For what xDS refused of the types whose managers do not hear of it. */
  readonly controlPlanes: () => readonly XdsStatus[];
  readonly secrets: () => readonly SecretView[];
  readonly extensions: () => readonly ExtensionView[];
  readonly render: RenderMessage;
}

/** In Envoy's order. */
export function dumpSections(
  source: ConfigDumpSource,
  includeEds: boolean,
): readonly DumpSection[] {
  return [
    bootstrapSection(source),
    clustersSection(source),
    ...ecdsSections(source.extensions(), source.render),
    ...(includeEds ? [endpointsSection(source)] : []),
    listenersSection(source),
    scopedRoutesSection(source),
    routesSection(source),
    secretsSection(source.secrets(), source.render),
  ];
}

function bootstrapSection({ bootstrap, render }: ConfigDumpSource): DumpSection {
  return {
    type: "BootstrapConfigDump",
    fields: {
      bootstrap: render("envoy.config.bootstrap.v3.Bootstrap", bootstrap.bytes),
      last_updated: timestamp(bootstrap.loadedAtMs),
    },
    lists: [],
  };
}

function clustersSection({ clusters, render }: ConfigDumpSource): DumpSection {
  const view = clusters();
  const json = (cluster: ClusterView): DumpedResource => ({
    name: cluster.name,
    json: {
      ...version(cluster.version),
      cluster: dumpedAny(render, "envoy.config.cluster.v3.Cluster", cluster.bytes),
      last_updated: timestamp(cluster.lastUpdatedMs),
    },
  });
  const dynamic = view.clusters.filter((cluster) => !cluster.isStatic);
  const failed = unapplied(view).map(
    ({ name, version: failedVersion, bytes, details, lastAttemptMs }) => ({
      name,
      json: {
        ...version(failedVersion),
        cluster: dumpedAny(render, "envoy.config.cluster.v3.Cluster", bytes),
        error_state: { last_update_attempt: timestamp(lastAttemptMs), details },
      },
    }),
  );
  const list = (field: string, elementType: string, resources: readonly DumpedResource[]) => ({
    field,
    elementType,
    resources,
  });
  return {
    type: "ClustersConfigDump",
    fields: version(view.version),
    lists: [
      list(
        "static_clusters",
        "StaticCluster",
        view.clusters.filter((cluster) => cluster.isStatic).map(json),
      ),
      list(
        "dynamic_active_clusters",
        "DynamicCluster",
        dynamic.filter((cluster) => cluster.state === "active").map(json),
      ),
      list("dynamic_warming_clusters", "DynamicCluster", [
        ...dynamic.filter((cluster) => cluster.state === "warming").map(json),
        ...failed,
      ]),
    ],
  };
}

function endpointsSection(source: ConfigDumpSource): DumpSection {
  const typeName = "envoy.config.endpoint.v3.ClusterLoadAssignment";
  const accepted = source.clusters().clusters.flatMap((cluster) => {
    const { config, assignment, lastUpdatedMs } = cluster;
    if (!assignment) return [];
    const { discovery } = config;
    const json = {
      ...version(assignment.version),
      endpoint_config: dumpedAny(source.render, typeName, assignment.bytes),
      last_updated: timestamp(lastUpdatedMs),
    };
    return [{ name: discovery.kind === "eds" ? discovery.serviceName : cluster.name, json }];
  });
  return {
    type: "EndpointsConfigDump",
    fields: {},
    lists: [
      {
        field: "dynamic_endpoint_configs",
        elementType: "DynamicEndpointConfig",
        resources: withRefusals(accepted, { shortName: "EDS", typeName, source }),
      },
    ],
  };
}

function listenersSection({ listeners, render }: ConfigDumpSource): DumpSection {
  const view = listeners();
  const config = (bytes: Uint8Array): Json =>
    dumpedAny(render, "envoy.config.listener.v3.Listener", bytes);
  const statics = view.listeners
    .filter((listener) => listener.isStatic)
    .map((listener) => ({
      name: listener.name,
      json: {
        listener: config(listener.bytes),
        last_updated: timestamp(listener.lastUpdatedMs),
      },
    }));
  const state = (listener: ListenerView): Json => ({
    ...version(listener.version),
    listener: config(listener.bytes),
    last_updated: timestamp(listener.lastUpdatedMs),
    generation: listener.generation,
    update_class: listener.updateClass,
    ...(listener.changed.length > 0 ? { changed_fields: listener.changed } : {}),
    ...(listener.awaiting.length > 0 ? { awaiting: listener.awaiting } : {}),
  });
  return {
    type: "ListenersConfigDump",
    fields: version(view.version),
    lists: [
      { field: "static_listeners", elementType: "StaticListener", resources: statics },
      {
        field: "dynamic_listeners",
        elementType: "DynamicListener",
        resources: dynamicListeners(view, state, config),
      },
    ],
  };
}

function dynamicListeners(
  view: ListenersView,
  state: (listener: ListenerView) => Json,
  config: (bytes: Uint8Array) => Json,
): readonly DumpedResource[] {
  const dynamic = view.listeners.filter((listener) => !listener.isStatic);
  const failures = unapplied(view);
  const names = new Set([...dynamic, ...failures].map(({ name }) => name));
  return [...names].flatMap((name) => {
    const of = (kind: ListenerView["state"]): readonly ListenerView[] =>
      dynamic.filter((listener) => listener.name === name && listener.state === kind);
    const [active] = of("active");
    const [warming] = of("warming");
    const [draining, ...furtherDraining] = of("draining");
    const error = failures.find((failed) => failed.name === name);
    const first = {
      name,
      ...(active ? { active_state: state(active) } : {}),
      ...(warming ? { warming_state: state(warming) } : {}),
      ...(draining ? { draining_state: state(draining) } : {}),
      ...(error ? { error_state: errorState(error, config(error.bytes)) } : {}),
    };
    const others = furtherDraining.map((listener) => ({ name, draining_state: state(listener) }));
    return [first, ...others].map((json) => ({ name, json }));
  });
}

function scopedRoutesSection({ scopedRoutes, render }: ConfigDumpSource): DumpSection {
  const sets = scopedRoutes();
  const json = (set: ScopeSetView): DumpedResource => ({
    name: set.name,
    json: {
      name: set.name,
      ...version(set.version),
      scoped_route_configs: set.scopes.map(({ bytes }) =>
        dumpedAny(render, "envoy.config.route.v3.ScopedRouteConfiguration", bytes),
      ),
      last_updated: timestamp(set.lastUpdatedMs),
    },
  });
  return {
    type: "ScopedRoutesConfigDump",
    fields: {},
    lists: [
      {
        field: "inline_scoped_route_configs",
        elementType: "InlineScopedRouteConfigs",
        resources: sets.filter(({ isInline }) => isInline).map(json),
      },
      {
        field: "dynamic_scoped_route_configs",
        elementType: "DynamicScopedRouteConfigs",
        // Envoy shows none before the first push.
        resources: sets.filter((set) => !set.isInline && set.lastUpdatedMs > 0).map(json),
      },
    ],
  };
}

function routesSection(source: ConfigDumpSource): DumpSection {
  const typeName = "envoy.config.route.v3.RouteConfiguration";
  const accepted = source.routes().map((route) => ({
    name: route.name,
    json: {
      ...version(route.version),
      route_config: withDiscovered(
        dumpedAny(source.render, typeName, route.bytes),
        route,
        source.render,
      ),
      last_updated: timestamp(route.lastUpdatedMs),
    },
  }));
  return {
    type: "RoutesConfigDump",
    fields: {},
    lists: [
      {
        field: "dynamic_route_configs",
        elementType: "DynamicRouteConfig",
        resources: withRefusals(accepted, { shortName: "RDS", typeName, source }),
      },
    ],
  };
}

/** As Envoy shows it: those of VHDS behind its own, each once. */
function withDiscovered(json: Json, { discovered }: RouteView, render: RenderMessage): Json {
  if (!discovered) return json;
  const own = Array.isArray(json["virtual_hosts"]) ? json["virtual_hosts"] : [];
  const hosts = new Map(discovered.map((view) => [view.host, view]));
  const more = [...hosts.values()].map(({ bytes }) =>
    render("envoy.config.route.v3.VirtualHost", bytes),
  );
  return { ...json, virtual_hosts: [...own, ...more] };
}

interface RefusedType {
  readonly shortName: string;
  readonly typeName: string;
  readonly source: ConfigDumpSource;
}

/** Beside what was accepted, what was refused after it, or in its place. */
function withRefusals(
  accepted: readonly DumpedResource[],
  { shortName, typeName, source }: RefusedType,
): readonly DumpedResource[] {
  const types = source.controlPlanes().flatMap((plane) => plane.types);
  const refusals = types
    .filter((type) => type.shortName === shortName)
    .flatMap(({ resources }) => resources)
    .flatMap(({ name, errors, sinceMs, refused }) => {
      if (!refused) return [];
      const failure = { ...refused, details: errors.join("; "), lastAttemptMs: sinceMs };
      const config = dumpedAny(source.render, typeName, refused.bytes);
      return [[name, errorState(failure, config)] as const];
    });
  const errors = new Map(refusals);
  const names = new Set(accepted.map(({ name }) => canonicalName(name)));
  return [
    ...accepted.map((each) => {
      const error = errors.get(canonicalName(each.name));
      return error ? { ...each, json: { ...each.json, error_state: error } } : each;
    }),
    ...refusals
      .filter(([name]) => !names.has(name))
      .map(([name, error]) => ({ name, json: { error_state: error } })),
  ];
}

function errorState(
  failure: { readonly version: string; readonly details: string; readonly lastAttemptMs: number },
  config: Json,
): Json {
  return {
    failed_configuration: config,
    last_update_attempt: timestamp(failure.lastAttemptMs),
    details: failure.details,
    ...version(failure.version),
  };
}

/** Refused, or taken with an ACK and skipped: where Envoy's dump is silent of the second, this one is not. */
function unapplied<T extends { readonly details: string }>(view: {
  readonly errors: readonly T[];
  readonly skipped: readonly T[];
}): readonly T[] {
  const skipped = view.skipped.map((each) => ({ ...each, details: `skipped: ${each.details}` }));
  return [...view.errors, ...skipped];
}

/** Absent when empty, as proto3 JSON leaves out defaults. */
function version(text: string): Json {
  return text === "" ? {} : { version_info: text };
}
