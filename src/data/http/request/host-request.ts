/** What a request tells a cluster that makes its hosts by what it is told. */
import type { ConnectionFacts } from "../../network/filter-chain-match.ts";
import type { HostRequest, UpstreamCluster } from "../../upstream/cluster-table.ts";
import { HeaderName, headerValue } from "../http1/header-table.ts";

interface SeenHead {
  readonly buffer: Buffer;
  pseudoHeader(name: string): string | undefined;
}

/** Of the head that was parsed last; undefined: the cluster does not ask. */
export function hostRequestOf(
  { config }: UpstreamCluster,
  head: SeenHead,
  facts: ConnectionFacts,
): HostRequest | undefined {
  const { discovery } = config;
  if (discovery.kind !== "originalDst") return undefined;
  const { originalDestination } = facts;
  return { originalDestination, namedHost: valueOf(discovery.headerName, head) };
}

function valueOf(name: string | undefined, head: SeenHead): string | undefined {
  if (name === undefined) return undefined;
  const value = name.startsWith(":")
    ? head.pseudoHeader(name)
    : headerValue(head.buffer, new HeaderName(name));
  return value === "" ? undefined : value;
}
