/**
 * What happened to one cluster in a stretch of time, as the difference of two looks at its counters. Envoy latches the
 * counters themselves; here they go on, and the last look is kept.
 */
import { formatAddress, type SocketAddress } from "../../shared/common/address.ts";
import type { HostConfig, Locality } from "../../shared/config/cluster-config.ts";
import type { ClusterLoad } from "../cluster/cluster-view.ts";
import type { HostCounts } from "../cluster/host-counters.ts";

export interface Load {
  readonly successful: number;
  readonly error: number;
  readonly issued: number;
  /** Now. */
  readonly inProgress: number;
}

export interface ClusterReport {
  readonly cluster: string;
  /** Empty: the cluster's own name. */
  readonly serviceName: string;
  /** Those where something happened or is under way. */
  readonly localities: readonly LocalityReport[];
  /** Requests that the circuit breakers let in no more. */
  readonly dropped: number;
  readonly intervalMs: number;
}

export interface LocalityReport {
  readonly locality: Locality;
  readonly priority: number;
  readonly load: Load;
  /** Where asked for, with the same rule. */
  readonly endpoints: readonly EndpointReport[];
}

export interface EndpointReport {
  readonly address: SocketAddress;
  readonly load: Load;
}

/** One look at the counters of a cluster. */
export interface LoadMark {
  readonly atMs: number;
  readonly dropped: number;
  readonly hosts: ReadonlyMap<string, HostCounts>;
}

/** How counters are read, by block. */
export interface LoadCounters {
  host(block: number): HostCounts;
  dropped(clusterBlock: number): number;
}

export function markLoad(cluster: ClusterLoad, counters: LoadCounters, atMs: number): LoadMark {
  const { hosts, hostBlocks, stats } = cluster;
  return {
    atMs,
    dropped: counters.dropped(stats),
    hosts: new Map(hosts.map((host, i) => [keyOf(host), counters.host(hostBlocks[i] ?? 0)])),
  };
}

/** From one look to the next, which saw the hosts that there are. */
export function reportLoad(
  { config: { name, discovery }, hosts }: ClusterLoad,
  from: LoadMark,
  to: LoadMark,
  byEndpoint: boolean,
): ClusterReport {
  const endpoints = hosts.flatMap((host) => {
    const key = keyOf(host);
    const load = loadBetween(from.hosts.get(key) ?? noCounts, to.hosts.get(key) ?? noCounts);
    return isQuiet(load) ? [] : [{ host, load }];
  });
  const localities = Map.groupBy(endpoints, ({ host }) => localityKeyOf(host));
  const serviceName = discovery.kind === "eds" ? discovery.serviceName : name;
  return {
    cluster: name,
    serviceName: serviceName === name ? "" : serviceName,
    localities: [...localities.values()].map((members) => reportLocality(members, byEndpoint)),
    dropped: Math.max(0, to.dropped - from.dropped),
    intervalMs: to.atMs - from.atMs,
  };
}

interface Member {
  readonly host: HostConfig;
  readonly load: Load;
}

const noLocality: Locality = { region: "", zone: "", subZone: "" };

function reportLocality(members: readonly Member[], byEndpoint: boolean): LocalityReport {
  const host = members[0]?.host;
  return {
    locality: host?.locality ?? noLocality,
    priority: host?.priority ?? 0,
    load: members.map(({ load }) => load).reduce(addLoads),
    endpoints: byEndpoint ? members.map(({ host: { address }, load }) => ({ address, load })) : [],
  };
}

type RequestCounts = Pick<HostCounts, "rqTotal" | "rqSuccess" | "rqError" | "rqActive">;

/** What began anew since the first look began at zero. */
function loadBetween(before: RequestCounts, after: RequestCounts): Load {
  const base = before.rqTotal > after.rqTotal ? noCounts : before;
  return {
    successful: after.rqSuccess - base.rqSuccess,
    error: after.rqError - base.rqError,
    issued: after.rqTotal - base.rqTotal,
    inProgress: after.rqActive,
  };
}

function addLoads(a: Load, b: Load): Load {
  return {
    successful: a.successful + b.successful,
    error: a.error + b.error,
    issued: a.issued + b.issued,
    inProgress: a.inProgress + b.inProgress,
  };
}

/** Nothing is said of it then, as Envoy does. */
function isQuiet({ successful, error, issued, inProgress }: Load): boolean {
  return successful + error + issued + inProgress === 0;
}

/** Of a host that was not there at the first look. */
const noCounts: RequestCounts = {
  rqTotal: 0,
  rqSuccess: 0,
  rqError: 0,
  rqActive: 0,
};

function keyOf({ priority, address }: HostConfig): string {
  return `${priority} ${formatAddress(address)}`;
}

function localityKeyOf({ priority, locality = noLocality }: HostConfig): string {
  return JSON.stringify([priority, locality.region, locality.zone, locality.subZone]);
}
