/**
 * Where a cluster's hosts come from, as one idea: something that gives hosts now and then until it is disposed. The
 * first hosts make the cluster warm.
 */
import type { Observable } from "rxjs";
import { assert } from "../../shared/common/assert.ts";
import type { HostConfig, LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { ConfigSource } from "../config/config-source.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { ResourceState } from "../xds/resource-batch.ts";
import type { AssignmentView } from "./cluster-view.ts";
import { EdsHosts } from "./eds-api.ts";
import { hostsOf } from "./host-list.ts";
import { StrictDnsHosts, type StrictDnsContext } from "./strict-dns.ts";

export interface HostSource extends Disposable {
  /** `eds <name>`, `dns <host>`: what the first hosts wait for. */
  readonly awaiting: readonly string[];
  /** The last assignment by EDS. */
  readonly assignment: AssignmentView | undefined;
  /** Begins; the first hosts may come before this returns. */
  start(): void;
}

export interface EndpointSubscription {
  readonly clusterName: string;
  /** `service_name`, or the cluster's name. */
  readonly serviceName: string;
  readonly source: ConfigSource | undefined;
  /** `cluster.<name>.`, for the subscription's stats. */
  readonly statPrefix: string;
}

/** Where assignments come from: chosen by the subscription's source when the server is put together. */
export type EndpointSource = (
  subscription: EndpointSubscription,
) => Observable<ResourceState<LoadAssignment>>;

export interface HostSourceContext extends Omit<StrictDnsContext, "onHosts"> {
  readonly endpoints: EndpointSource;
  readonly onHosts: (hosts: readonly HostConfig[]) => void;
}

export function createHostSource(decoded: DecodedCluster, context: HostSourceContext): HostSource {
  const { config, loadAssignment } = decoded;
  switch (config.discovery.kind) {
    case "static":
      return staticHosts(loadAssignment, context);
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
