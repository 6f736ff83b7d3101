/** Clusters of type ORIGINAL_DST: what else of a cluster fits them. The texts are Envoy's. */
import type { Cluster } from "../../../gen/es/envoy/config/cluster/v3/cluster_pb.d.ts";
import type { ClusterDiscovery } from "../../shared/config/cluster-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import { lbPolicyName } from "./cluster-lb-policy.ts";
import type { DecodeContext } from "./decode-context.ts";

/** Docs: `cleanup_interval`, "defaults to 5000ms". */
const cleanupIntervalMsDefault = 5_000;
const headerNameDefault = "x-envoy-original-dst-host";
/** `Cluster.LbPolicy.CLUSTER_PROVIDED`. */
const clusterProvided = 6;

export function decodeOriginalDst(
  message: Cluster,
  context: DecodeContext,
): Extract<ClusterDiscovery, { kind: "originalDst" }> {
  const { lbPolicy, lbConfig, loadAssignment, healthChecks } = message;
  if (Number(lbPolicy) !== clusterProvided)
    context.refuse(
      `cluster: LB policy ${lbPolicyName(lbPolicy)} is not valid for Cluster type ORIGINAL_DST. Only 'CLUSTER_PROVIDED' is allowed with cluster type 'ORIGINAL_DST'`,
    );
  if (loadAssignment)
    context.refuse("ORIGINAL_DST clusters must have no load assignment configured");
  if (healthChecks.length > 0)
    context.warn(
      "envoy.config.cluster.v3.Cluster.health_checks",
      "hosts that are made by what connections ask for are not checked",
    );
  const chosen = lbConfig.case === "originalDstLbConfig" ? lbConfig.value : undefined;
  const { useHttpHeader = false, httpHeaderName = "" } = chosen ?? {};
  if (!useHttpHeader && httpHeaderName !== "")
    context.refuse(
      `ORIGINAL_DST cluster: invalid config http_header_name=${httpHeaderName} and use_http_header is false. Set use_http_header to true if http_header_name is desired.`,
    );
  const headerName = httpHeaderName === "" ? headerNameDefault : httpHeaderName.toLowerCase();
  return {
    kind: "originalDst",
    cleanupIntervalMs: durationMsOr(message.cleanupInterval, cleanupIntervalMsDefault),
    headerName: useHttpHeader ? headerName : undefined,
    portOverride: chosen?.upstreamPortOverride,
  };
}
