/**
 * Which transport socket a host is spoken to by (Envoy: `TransportSocketMatcherImpl`; docs: `transport_socket_matches`): the
 * first match whose labels are all in the metadata of the endpoint, else of its locality, else the cluster's own.
 */
import { isDeepStrictEqual } from "node:util";
import type { HostConfig, SocketLabels } from "../../shared/config/cluster-config.ts";
import type { DecodedCluster, SocketMatch } from "../config/decoded-cluster.ts";
import type { UpstreamTlsConfig } from "../config/tls-config.ts";
import { upstreamSocketOf } from "../config/transport-sockets.ts";

type Labels = SocketLabels["endpoint"];

/** As workers get them: a host that is spoken to like the rest of the cluster says nothing. */
export function withSockets(
  hosts: readonly HostConfig[],
  { socketMatches }: Pick<DecodedCluster, "socketMatches">,
): readonly HostConfig[] {
  if (socketMatches.length === 0) return hosts;
  return hosts.map((host) => {
    const match = matchFor(host.socketLabels, socketMatches);
    return match ? { ...host, transportSocket: upstreamSocketOf(match.tls) } : host;
  });
}

/** Undefined: plain text. */
export function socketConfigFor(
  labels: SocketLabels | undefined,
  { tls, socketMatches }: Pick<DecodedCluster, "tls" | "socketMatches">,
): UpstreamTlsConfig | undefined {
  const match = matchFor(labels, socketMatches);
  return match ? match.tls : tls;
}

function matchFor(
  labels: SocketLabels | undefined,
  matches: readonly SocketMatch[],
): SocketMatch | undefined {
  const among = (has: Labels): SocketMatch | undefined =>
    matches.find(({ labels: wanted }) => hasAll(has, wanted));
  return among(labels?.endpoint) ?? among(labels?.locality);
}

function hasAll(has: Labels, wanted: SocketMatch["labels"]): boolean {
  return Object.entries(wanted).every(([key, value]) => isDeepStrictEqual(has?.[key], value));
}
