/**
 * What is true of every resource, as rows for `/status`: what the control plane was told of it (`answer`) beside
 * what became of it here (`state`). The two differ more often than one thinks: an ACKed listener may be warming, or
 * skipped; under a NACKed name the version before goes on serving. So a name has as many rows as it has versions
 * that can be told apart.
 */
import type { ClusterView, ClustersView } from "../cluster/cluster-view.ts";
import type { DrainView, DrainsView } from "../listener/drain-view.ts";
import type { ListenerView, ListenersView } from "../listener/listener-view.ts";
import type { ExtensionView } from "../listener/ecds-api.ts";
import type { RouteView } from "../listener/rds-view.ts";
import { updateText } from "../listener/update-text.ts";
import type { ScopeSetView } from "../listener/scope-view.ts";
import type { SecretView } from "../secret/secret-view.ts";
import type { ResourceStatus, TypeStatus, XdsStatus } from "../xds/xds-status.ts";

export interface StatusSource {
  readonly controlPlanes: () => readonly XdsStatus[];
  readonly listeners: () => ListenersView;
  readonly clusters: () => ClustersView;
  readonly routes: () => readonly RouteView[];
  readonly secrets: () => readonly SecretView[];
  readonly extensions: () => readonly ExtensionView[];
  readonly scopedRoutes: () => readonly ScopeSetView[];
  readonly drains: () => DrainsView;
}

export type StatusState =
  /** Asked for; nothing came yet. */
  | "requested"
  /** It came, was accepted, and nothing here shows more of it. */
  | "received"
  /** Accepted; waits for what `awaiting` names. */
  | "warming"
  | "active"
  /** It keeps its connections and accepts no more, by order of the admin. */
  | "stopped"
  | "draining"
  /** The server said that it cannot give it, with the reason. */
  | "unavailable"
  /** Refused, with the reason; what served before goes on. */
  | "nacked"
  /** Accepted and not applied, with the reason. */
  | "skipped"
  /** Removed by the server, or not sent in time. */
  | "absent";

/** One row; the JSON shape itself, so its names are those of the wire. */
export interface StatusRow {
  /** `LDS`, `CDS`, `RDS`, `SRDS`, `EDS`, … */
  readonly type: string;
  readonly name: string;
  readonly version: string;
  /** `bootstrap`, or where the control plane is. Null: no source holds it any more. */
  readonly source: string | null;
  /** The last word to that source on the name. Null: there was none. */
  readonly answer: ResourceStatus["state"] | null;
  readonly state: StatusState;
  /**
   * RFC 3339. Of a draining version the start of its drain, of any other when its last update came; of what is not here
   * when it was asked for, refused or missed.
   */
  readonly since: string | null;
  readonly awaiting: readonly string[];
  readonly reason: string | null;
}

type Standing = Omit<StatusRow, "source" | "answer"> & { readonly isStatic?: boolean };

export interface StatusView {
  readonly control_planes: readonly object[];
  readonly resources: readonly StatusRow[];
}

export function statusView(source: StatusSource): StatusView {
  const planes = source.controlPlanes();
  const standings = [
    ...clusterStandings(source.clusters()),
    ...endpointStandings(source.clusters().clusters),
    ...listenerStandings(source.listeners(), source.drains()),
    ...source.routes().flatMap(routeStandings),
    ...source.secrets().flatMap(secretStandings),
    ...source.extensions().map(extensionStanding),
    ...source.routes().flatMap(hostStandings),
    ...source.scopedRoutes().flatMap(scopeStandings),
  ];
  const told = knownToXds(planes);
  const rows = standings.map(({ isStatic = false, ...standing }) => {
    const known = isStatic ? undefined : told.get(keyOf(standing));
    return {
      ...standing,
      source: isStatic ? "bootstrap" : (known?.server ?? null),
      answer: known?.resource.state ?? null,
    };
  });
  return {
    control_planes: planes.map(planeView),
    resources: [...rows, ...onlyInXds(told, standings)].toSorted(byTypeAndName),
  };
}

interface Known {
  readonly server: string;
  readonly type: TypeStatus;
  readonly resource: ResourceStatus;
}

function knownToXds(planes: readonly XdsStatus[]): ReadonlyMap<string, Known> {
  const all = planes.flatMap(({ server, types }) =>
    types.flatMap((type) => type.resources.map((resource) => ({ server, type, resource }))),
  );
  return new Map(
    all.map((known) => [keyOf({ type: known.type.shortName, name: known.resource.name }), known]),
  );
}

/** What no manager has a version of in the state that xDS tells. */
function onlyInXds(
  told: ReadonlyMap<string, Known>,
  standings: readonly Standing[],
): readonly StatusRow[] {
  const shown = new Map<string, Set<StatusState>>();
  for (const standing of standings) {
    const key = keyOf(standing);
    const states = shown.get(key) ?? new Set();
    shown.set(key, states.add(standing.state));
  }
  return [...told].flatMap(([key, known]) => {
    const row = xdsRow(known);
    const states = shown.get(key);
    const isShown = row.state === "received" ? states !== undefined : states?.has(row.state);
    return isShown ? [] : [row];
  });
}

function xdsRow({ server, type, resource }: Known): StatusRow {
  return {
    type: type.shortName,
    name: resource.name,
    // What was refused, not what serves in its place.
    version: resource.refused?.version ?? resource.version,
    source: server,
    answer: resource.state,
    state: resource.state === "acked" ? "received" : resource.state,
    since: resource.sinceMs === 0 ? null : timestamp(resource.sinceMs),
    awaiting: [],
    reason: resource.errors.length > 0 ? resource.errors.join("; ") : null,
  };
}

function listenerStandings(view: ListenersView, { drains }: DrainsView): readonly Standing[] {
  const underWay = drains.filter(
    ({ state, process_generation: elder }) => state === "draining" && elder === null,
  );
  return [
    ...view.listeners.map((listener) => listenerStanding(listener, underWay)),
    ...underWay.filter(isOfPart).map(partStanding),
    ...view.errors.map((error) => failure("LDS", "nacked", error)),
    ...view.skipped.map((skip) => failure("LDS", "skipped", skip)),
  ];
}

function listenerStanding(listener: ListenerView, drains: readonly DrainView[]): Standing {
  const { name, version, generation, isStatic, awaiting, lastUpdatedMs } = listener;
  const drain =
    listener.state === "draining"
      ? drains.find(
          (each) => each.listener === name && each.generation === generation && !isOfPart(each),
        )
      : undefined;
  return {
    type: "LDS",
    name,
    version,
    isStatic,
    state: listener.state === "active" && listener.isStopped ? "stopped" : listener.state,
    since: drain?.started_at ?? timestamp(lastUpdatedMs),
    awaiting,
    reason: drain ? drainText(drain) : howUpdated(listener),
  };
}

/** Null for one that is as it first came. */
function howUpdated(listener: ListenerView): string | null {
  return listener.updateClass === "new" ? null : `update: ${updateText(listener)}`;
}

/** The listener serves, and some of its connections drain: of removed filter chains, or by order of the admin. */
function isOfPart({ listener, filter_chains: chains, cause }: DrainView): boolean {
  return listener !== null && (chains !== null || cause === "admin");
}

function partStanding(drain: DrainView): Standing {
  const chains = drain.filter_chains ? `filter chains ${drain.filter_chains.join(", ")}; ` : "";
  return {
    type: "LDS",
    name: drain.listener ?? "",
    version: drain.version ?? "",
    state: "draining",
    since: drain.started_at,
    awaiting: [],
    reason: chains + drainText(drain),
  };
}

function drainText({ id, cause, connections, deadline }: DrainView): string {
  const { remaining, at_start: atStart } = connections;
  return `drain ${id}, ${cause}: ${remaining} of ${atStart} connections left, until ${deadline}`;
}

function clusterStandings(view: ClustersView): readonly Standing[] {
  return [
    ...view.clusters.map(
      ({ name, version, isStatic, state, awaiting, lastUpdatedMs }): Standing => ({
        type: "CDS",
        name,
        version,
        isStatic,
        state,
        since: timestamp(lastUpdatedMs),
        awaiting,
        reason: null,
      }),
    ),
    ...view.errors.map((error) => failure("CDS", "nacked", error)),
    ...view.skipped.map((skip) => failure("CDS", "skipped", skip)),
  ];
}

function endpointStandings(clusters: readonly ClusterView[]): readonly Standing[] {
  return clusters.flatMap(({ config, assignment, hosts, lastUpdatedMs }) => {
    if (config.discovery.kind !== "eds" || !assignment) return [];
    return {
      type: "EDS",
      name: config.discovery.serviceName,
      version: assignment.version,
      state: "active",
      since: timestamp(lastUpdatedMs),
      awaiting: [],
      reason: `${hosts.length} endpoints of cluster ${config.name}`,
    } as const;
  });
}

function routeStandings({ name, version, lastUpdatedMs, held }: RouteView): readonly Standing[] {
  const common = { type: "RDS", name, reason: null };
  const since = timestamp(lastUpdatedMs);
  const active: Standing = { ...common, version, state: "active", since, awaiting: [] };
  if (!held) return [active];
  const heldSince = timestamp(held.sinceMs);
  const { version: next, awaiting } = held;
  return [active, { ...common, version: next, awaiting, state: "warming", since: heldSince }];
}

/** Of one that did not come yet xDS tells more. */
function secretStandings(view: SecretView): readonly Standing[] {
  const { name, state } = view;
  const common = { type: "SDS", name, state: "active", awaiting: [], reason: null } as const;
  switch (state) {
    case "static":
      return [{ ...common, version: "", isStatic: true, since: null }];
    case "active":
      return [{ ...common, version: view.version, since: timestamp(view.sinceMs) }];
    case "warming":
      return [];
    default:
      return view satisfies never;
  }
}

function extensionStanding({ name, version, lastUpdatedMs }: ExtensionView): Standing {
  const since = timestamp(lastUpdatedMs);
  return { type: "ECDS", name, version, state: "active", since, awaiting: [], reason: null };
}

function hostStandings({ discovered = [] }: RouteView): readonly Standing[] {
  return discovered.map(({ name, host, version, lastUpdatedMs }) => ({
    type: "VHDS",
    name,
    version,
    state: "active",
    since: timestamp(lastUpdatedMs),
    awaiting: [],
    reason: host === name ? null : `virtual host ${host}`,
  }));
}

/** Those that stand in a listener are part of it. */
function scopeStandings({ isInline, scopes }: ScopeSetView): readonly Standing[] {
  if (isInline) return [];
  return scopes.map(({ name, version, lastUpdatedMs, routeConfigName, state }) => ({
    type: "SRDS",
    name,
    version,
    state: state === "loading" ? "warming" : "active",
    since: timestamp(lastUpdatedMs),
    awaiting: state === "loading" ? [`rds ${routeConfigName}`] : [],
    reason: state === "unasked" ? "on demand, no request has come yet" : null,
  }));
}

interface Failure {
  readonly name: string;
  readonly version: string;
  readonly details: string;
  readonly lastAttemptMs: number;
}

function failure(type: string, state: "nacked" | "skipped", failed: Failure): Standing {
  const { name, version, details, lastAttemptMs } = failed;
  return {
    type,
    name,
    version,
    state,
    since: timestamp(lastAttemptMs),
    awaiting: [],
    reason: details,
  };
}

function planeView({ server, serverIdentifier, stream, types }: XdsStatus): object {
  return {
    server,
    identifier: serverIdentifier,
    stream: stream.kind,
    ...(stream.kind === "connecting" && stream.reason !== "" ? { reason: stream.reason } : {}),
    ...(stream.kind === "backingOff"
      ? { reason: stream.reason, retry_in_ms: Math.round(stream.retryInMs) }
      : {}),
    types: types.map(({ shortName, version, acceptedAtMs, nack, resources }) => ({
      type: shortName,
      version,
      accepted_at: acceptedAtMs === 0 ? null : timestamp(acceptedAtMs),
      nack: nack
        ? { version: nack.version, detail: nack.detail, time: timestamp(nack.timeMs) }
        : null,
      resources: resources.length,
    })),
  };
}

function keyOf({ type, name }: { readonly type: string; readonly name: string }): string {
  return `${type} ${name}`;
}

const typeOrder = ["LDS", "SRDS", "RDS", "VHDS", "CDS", "EDS", "SDS", "ECDS"];

function byTypeAndName(a: StatusRow, b: StatusRow): number {
  if (a.type !== b.type) return rankOf(a.type) - rankOf(b.type) || (a.type < b.type ? -1 : 1);
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function rankOf(type: string): number {
  const rank = typeOrder.indexOf(type);
  return rank < 0 ? typeOrder.length : rank;
}

function timestamp(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
