/** By a cluster's discovery type, what gives its hosts. */
import { assert } from "../../shared/common/assert.ts";
import type { HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import { EdsHosts } from "./eds-api.ts";
import { hostsOf } from "./host-list.ts";
import type { EndpointSource, HostSource } from "./host-source.ts";
import { StrictDnsHosts, type StrictDnsContext } from "./strict-dns.ts";

export interface HostSourceContext extends Omit<StrictDnsContext, "onHosts"> {
  readonly endpoints: EndpointSource;
  readonly onHosts: (hosts: readonly HostConfig[]) => void;
}

export function createHostSource(decoded: DecodedCluster, context: HostSourceContext): HostSource {
  const { config, loadAssignment } = decoded;
  switch (config.discovery.kind) {
    case "static":
      return staticHosts(loadAssignment, context);
    case "originalDst":
      return staticHosts(undefined, context);
    case "strictDns":
      assert(loadAssignment, `cluster ${config.name} has no load assignment`);
      return dnsHosts(new StrictDnsHosts(config.discovery, loadAssignment, context));
    case "eds": {
      const subscription = {
        clusterName: config.name,
        serviceName: config.discovery.serviceName,
        source: decoded.edsSource,
        statPrefix: `cluster.${config.statName}.`,
      };
      return new EdsHosts(subscription, context);
    }
    default:
      return config.discovery satisfies never;
  }
}

function staticHosts(
  assignment: LoadAssignment | undefined,
  { onHosts }: Pick<HostSourceContext, "onHosts">,
): HostSource {
  return {
    awaiting: [],
    assignment: undefined,
    start: () => onHosts(assignment ? hostsOf(assignment) : []),
    [Symbol.dispose]: () => {},
  };
}

function dnsHosts(dns: StrictDnsHosts): HostSource {
  return {
    get awaiting() {
      return dns.awaiting.map((host) => `dns ${host}`);
    },
    assignment: undefined,
    start: () => dns.start(),
    [Symbol.dispose]: () => dns[Symbol.dispose](),
  };
}
