/** How a cluster chooses hosts: `load_balancing_policy`, else the older `lb_policy`. */
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { LeastRequest } from "../../../gen/es/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.d.ts";
import type { ClusterConfig } from "../../shared/config/cluster-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type FoundExtension, findExtension, hasExtension } from "./extensions.ts";

type LbConfig = Pick<ClusterConfig, "lbPolicy" | "choiceCount">;

/** Docs: `LeastRequestLbConfig.choice_count`, "defaults to 2". */
const choiceCountDefault = 2;
const roundRobin: LbConfig = { lbPolicy: "roundRobin", choiceCount: choiceCountDefault };

/** By the numbers of `Cluster.LbPolicy`. */
const policies: Readonly<Record<number, ClusterConfig["lbPolicy"]>> = {
  0: "roundRobin",
  1: "leastRequest",
  3: "random",
};
const policyNames: Readonly<Record<number, string>> = {
  0: "ROUND_ROBIN",
  1: "LEAST_REQUEST",
  3: "RANDOM",
  2: "RING_HASH",
  5: "MAGLEV",
  6: "CLUSTER_PROVIDED",
  7: "LOAD_BALANCING_POLICY_CONFIG",
};

export function lbPolicyName(policy: number): string {
  return policyNames[policy] ?? String(policy);
}

/** `Cluster.DiscoveryType.ORIGINAL_DST`. */
const originalDst = 4;

export function decodeLbPolicy(message: Cluster, context: DecodeContext): LbConfig {
  // Nothing is chosen there; `decodeOriginalDst` judges what is set.
  if (message.clusterDiscoveryType.value === originalDst) return roundRobin;
  if (message.loadBalancingPolicy) return decodePolicyList(message, context);
  const lbPolicy = policies[message.lbPolicy];
  if (!lbPolicy) {
    const name = lbPolicyName(message.lbPolicy);
    context.refuse(
      name === "CLUSTER_PROVIDED"
        ? `cluster manager: cluster provided LB specified but cluster '${message.name}' did not provide one. Check cluster documentation.`
        : `cluster '${message.name}': lb_policy ${name} is not supported`,
    );
  }
  const { lbConfig } = message;
  const choiceCount =
    lbConfig.case === "leastRequestLbConfig" ? lbConfig.value.choiceCount : undefined;
  return { lbPolicy: lbPolicy ?? "roundRobin", choiceCount: choiceCount ?? choiceCountDefault };
}

/** xDS: the first policy of the list that the client supports. */
function decodePolicyList(
  { name, loadBalancingPolicy }: Cluster,
  context: DecodeContext,
): LbConfig {
  const requests = (loadBalancingPolicy?.policies ?? []).map(
    ({ typedExtensionConfig: config }) => ({
      name: config?.name ?? "",
      any: config?.typedConfig,
    }),
  );
  const request = requests.find((one) => hasExtension("load balancing policy", one, context));
  const found = request && findExtension("load balancing policy", request, context);
  if (!found) {
    const names = requests.map((one) => one.name).join(", ");
    context.refuse(
      `cluster '${name}': Didn't find a registered load balancer factory implementation for cluster: '${name}' with names from [${names}]`,
    );
    return roundRobin;
  }
  return decodePolicy(found, context);
}

function decodePolicy({ extension, config }: FoundExtension, context: DecodeContext): LbConfig {
  if (extension.kind === "random") return { ...roundRobin, lbPolicy: "random" };
  if (extension.kind !== "leastRequest") return roundRobin;
  const schema = context.protos.schema<LeastRequest>(
    "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest",
  );
  const choiceCount = context.read(config, schema)?.choiceCount ?? choiceCountDefault;
  return { lbPolicy: "leastRequest", choiceCount };
}
