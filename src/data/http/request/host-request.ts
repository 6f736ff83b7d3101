/** What a request tells a cluster that makes its hosts by what it is told. */
import type { ConnectionFacts } from "../../network/filter-chain-match.ts";
import type { HostRequest, UpstreamCluster } from "../../upstream/cluster-table.ts";

/** `fieldOf`: of the request, by a name in lower case. Undefined: the cluster does not ask. */
export function hostRequestOf(
  { config }: UpstreamCluster,
  facts: ConnectionFacts,
  fieldOf: (name: string) => string | undefined,
): HostRequest | undefined {
  const { discovery } = config;
  if (discovery.kind !== "originalDst") return undefined;
  const { originalDestination } = facts;
  const { headerName } = discovery;
  const namedHost = headerName === undefined ? undefined : fieldOf(headerName);
  return { originalDestination, namedHost: namedHost === "" ? undefined : namedHost };
}
