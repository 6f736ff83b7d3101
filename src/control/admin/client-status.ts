/**
 * What is true of every resource, in the words of CSDS (`envoy.service.status.v3.ClientStatusResponse`). One entry a
 * resource: the most recent version that was accepted, and beside it what was refused after it (`error_state`).
 *
 * What one would get wrong: `config_status` belongs to management servers and stays unset, the client's word is
 * `client_status` (csds.proto). A resource that was ACKed and skipped is ACKED here too, since that is what the
 * control plane was told; its `error_state` then says why it does not serve. Envoy leaves that out.
 */
import type { ClustersView } from "../cluster/cluster-view.ts";
import type { ListenersView } from "../listener/listener-view.ts";
import type { RouteView } from "../listener/rds-view.ts";
import type { ScopeSetView } from "../listener/scope-view.ts";
import type { ResourceStatus, TypeStatus, XdsStatus } from "../xds/xds-status.ts";

/** Numbers of `envoy.admin.v3.ClientResourceStatus`. */
export const clientStatuses = {
  unknown: 0,
  requested: 1,
  absent: 2,
  acked: 3,
  nacked: 4,
  /** The shipped protos are older than `RECEIVED_ERROR`; the reason stands beside it. */
  unavailable: 2,
} as const;

export interface ClientStatusSource {
  readonly controlPlanes: () => readonly XdsStatus[];
  readonly listeners: () => ListenersView;
  readonly clusters: () => ClustersView;
  readonly routes: () => readonly RouteView[];
  readonly scopedRoutes: () => readonly ScopeSetView[];
}

/** One `GenericXdsConfig`. */
export interface ClientResource {
  readonly typeUrl: string;
  readonly name: string;
  readonly version: string;
  /** As accepted; undefined: nothing was, or xDS alone knows of it. */
  readonly bytes: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly lastUpdatedMs: number | undefined;
  readonly status: (typeof clientStatuses)[keyof typeof clientStatuses];
  readonly isStatic: boolean;
  readonly error: ClientResourceError | undefined;
}

export interface ClientResourceError {
  readonly version: string;
  readonly details: string;
  /** Undefined where only the reason was kept. */
  readonly bytes: Uint8Array | undefined;
  /** Milliseconds since 1970. */
  readonly lastAttemptMs: number;
}

const typeUrls = {
  LDS: "type.googleapis.com/envoy.config.listener.v3.Listener",
  RDS: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
  VHDS: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
  SRDS: "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
  CDS: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
  EDS: "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
} as const;

interface Accepted {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly lastUpdatedMs: number;
  readonly isStatic?: boolean;
}

/** By type URL, then in the order in which the managers hold them. */
export function clientResources(source: ClientStatusSource): readonly ClientResource[] {
  const [listeners, clusters] = [source.listeners(), source.clusters()];
  const types = source.controlPlanes().flatMap((plane) => plane.types);
  return [
    ...resourcesOf(typeUrls.LDS, types, listenersAccepted(listeners), failures(listeners)),
    ...resourcesOf(typeUrls.RDS, types, source.routes(), new Map()),
    ...resourcesOf(typeUrls.VHDS, types, discoveredOf(source.routes()), new Map()),
    ...resourcesOf(typeUrls.SRDS, types, scopesOf(source.scopedRoutes()), new Map()),
    ...resourcesOf(typeUrls.CDS, types, newest(clusters.clusters), failures(clusters)),
    ...resourcesOf(typeUrls.EDS, types, assignmentsOf(clusters), new Map()),
    ...otherTypes(types).flatMap((typeUrl) => resourcesOf(typeUrl, types, [], new Map())),
  ];
}

/** One that drains was accepted once, and is no resource any more. */
function listenersAccepted({ listeners }: ListenersView): readonly Accepted[] {
  return newest(listeners.filter(({ state }) => state !== "draining"));
}

/** The warming one where there are two: it was accepted last. Views hold warming ones first. */
function newest(all: readonly Accepted[]): readonly Accepted[] {
  const byName = new Map<string, Accepted>();
  for (const each of all) if (!byName.has(each.name)) byName.set(each.name, each);
  return [...byName.values()];
}

function assignmentsOf({ clusters }: ClustersView): readonly Accepted[] {
  return newest(
    clusters.flatMap(({ config: { discovery }, assignment, lastUpdatedMs }) =>
      discovery.kind === "eds" && assignment
        ? [{ name: discovery.serviceName, ...assignment, lastUpdatedMs }]
        : [],
    ),
  );
}

function discoveredOf(routes: readonly RouteView[]): readonly Accepted[] {
  return routes.flatMap(({ discovered = [] }) => discovered);
}

function scopesOf(sets: readonly ScopeSetView[]): readonly Accepted[] {
  return newest(sets.filter(({ isInline }) => !isInline).flatMap(({ scopes }) => scopes));
}

interface Failure extends ClientResourceError {
  readonly name: string;
}

/** A refusal is of the last push and so newer than a skip of the same name. */
function failures({
  errors,
  skipped,
}: {
  readonly errors: readonly Failure[];
  readonly skipped: readonly Failure[];
}): ReadonlyMap<string, ClientResourceError> {
  const skips = skipped.map((skip) => ({ ...skip, details: `skipped: ${skip.details}` }));
  return new Map([...skips, ...errors].map((failed) => [failed.name, failed]));
}

function otherTypes(types: readonly TypeStatus[]): readonly string[] {
  const own: readonly string[] = Object.values(typeUrls);
  return [...new Set(types.map(({ typeUrl }) => typeUrl))].filter((url) => !own.includes(url));
}

/** All names of a type that a manager or xDS knows. */
function resourcesOf(
  typeUrl: string,
  types: readonly TypeStatus[],
  accepted: readonly Accepted[],
  errors: ReadonlyMap<string, ClientResourceError>,
): readonly ClientResource[] {
  const ofType = types.filter((type) => type.typeUrl === typeUrl);
  const resources = ofType.flatMap((type) => type.resources);
  const told = new Map(resources.map((resource) => [resource.name, resource]));
  const held = new Map(accepted.map((each) => [each.name, each]));
  const names = new Set([...held.keys(), ...told.keys(), ...errors.keys()]);
  return [...names].map((name) => {
    const of = held.get(name);
    const by = told.get(name);
    return {
      typeUrl,
      name,
      version: of?.version ?? by?.version ?? "",
      bytes: of?.bytes,
      lastUpdatedMs: of?.lastUpdatedMs,
      status: by ? clientStatuses[by.state] : clientStatuses.unknown,
      isStatic: of?.isStatic ?? false,
      error: errors.get(name) ?? (by && errorOf(by)),
    };
  });
}

function errorOf({ errors, refused, sinceMs }: ResourceStatus): ClientResourceError | undefined {
  if (errors.length === 0) return undefined;
  const { version = "", bytes } = refused ?? {};
  return { version, details: errors.join("; "), bytes, lastAttemptMs: sinceMs };
}
