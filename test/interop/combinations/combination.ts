/** The six ways in which go-control-plane's own integration test runs Envoy, and two with linear caches for all. */
import type { GoControlPlaneOptions } from "../../../src/cli/go-control-plane.ts";
import type { XdsVariant } from "../../support/xds-resources.ts";

export interface Combination extends XdsVariant {
  readonly isDelta: boolean;
  readonly caches: GoControlPlaneOptions;
}

const fromControlPlane = {
  transportApiVersion: "V3",
  setNodeOnFirstMessageOnly: true,
  grpcServices: [{ envoyGrpc: { clusterName: "control-plane" } }],
};

const ads = { ads: {}, resourceApiVersion: "V3" };

function api(apiConfigSource: object): object {
  return { apiConfigSource, resourceApiVersion: "V3" };
}

function aggregated(
  name: string,
  apiType: "GRPC" | "DELTA_GRPC",
  caches: GoControlPlaneOptions = {},
): Combination {
  const adsConfig = { apiType, ...fromControlPlane };
  return { name, adsConfig, source: ads, isRest: false, isDelta: apiType === "DELTA_GRPC", caches };
}

/** A stream of each type. */
function split(
  name: string,
  apiType: "GRPC" | "DELTA_GRPC",
  caches: GoControlPlaneOptions = {},
): Combination {
  return {
    name,
    adsConfig: undefined,
    source: api({ apiType, ...fromControlPlane }),
    isRest: false,
    isDelta: apiType === "DELTA_GRPC",
    caches: { isSplit: true, ...caches },
  };
}

const everyKind = [
  "clusters",
  "endpoints",
  "extension_configs",
  "listeners",
  "routes",
  "scoped_routes",
  "virtual_hosts",
  "runtime",
] as const;

export const combinations: readonly Combination[] = [
  aggregated("ads", "GRPC"),
  split("xds", "GRPC"),
  {
    name: "rest",
    adsConfig: undefined,
    source: api({
      apiType: "REST",
      transportApiVersion: "V3",
      clusterNames: ["control-plane"],
      refreshDelay: "0.1s",
    }),
    isRest: true,
    isDelta: false,
    caches: { isSplit: true },
  },
  split("xds, endpoints in a linear cache behind a mux", "GRPC", { linear: ["endpoints"] }),
  split("delta", "DELTA_GRPC"),
  aggregated("delta-ads", "DELTA_GRPC"),
  aggregated("ads, every kind in a linear cache", "GRPC", { linear: everyKind }),
  aggregated("delta-ads, every kind in a linear cache", "DELTA_GRPC", { linear: everyKind }),
];
