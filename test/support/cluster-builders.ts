import { clientHttp1 } from "./http1-options.ts";
import { http2Options } from "./http2-options.ts";
import type {
  ClusterHealthConfig,
  DecodedCluster,
} from "../../src/control/config/decoded-cluster.ts";
import type { ClusterDiscovery, LoadAssignment } from "../../src/shared/config/cluster-config.ts";
import { ip } from "./config-builders.ts";

export interface ClusterSketch {
  readonly name: string;
  /** STATIC: `10.0.0.1:80`. */
  readonly hosts?: readonly string[];
  /** STRICT_DNS: `name:80`. */
  readonly dns?: readonly string[];
  readonly respectTtl?: boolean;
  /** EDS: the service's name. */
  readonly eds?: string;
  readonly health?: ClusterHealthConfig;
}

/** A cluster as `control/config` would decode it; its hash is the sketch itself. */
export function decodedCluster(sketch: ClusterSketch): DecodedCluster {
  const text = JSON.stringify(sketch);
  const limits = {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
  };
  const addresses = sketch.hosts ?? sketch.dns;
  return {
    config: {
      name: sketch.name,
      statName: sketch.name,
      discovery: discoveryOf(sketch),
      lbPolicy: "roundRobin",
      choiceCount: 2,
      connectTimeoutMs: 5_000,
      perConnectionBufferLimitBytes: 1024 * 1024,
      maxRequestsPerConnection: 0,
      idleTimeoutMs: 3_600_000,
      retryPolicy: undefined,
      maxResponseHeadersKb: 60,
      maxResponseHeadersCount: 100,
      maxConnectionDurationMs: 0,
      maxStreamDurationMs: 0,
      preconnectRatio: 1,
      predictivePreconnectRatio: 1,
      circuitBreakers: { default: limits, high: limits },
      healthyPanicThreshold: 50,
      failTrafficOnPanic: false,
      closeConnectionsOnHealthFailure: false,
      protocol: "http1",
      http1: clientHttp1(),
      http2: http2Options(),
      transportSocket: { kind: "rawBuffer" },
    },
    loadAssignment: addresses ? assignment(sketch.name, addresses) : undefined,
    edsSource: undefined,
    health: sketch.health,
    tls: undefined,
    socketMatches: [],
    waitForWarmOnInit: true,
    bytes: new TextEncoder().encode(text),
    hash: text,
  };
}

export function assignment(clusterName: string, addresses: readonly string[]): LoadAssignment {
  const endpoints = addresses.map((address) => ({
    address: ip(address),
    hostname: "",
    weight: 1,
    health: "healthy" as const,
  }));
  const locality = { priority: 0, weight: undefined, region: "", zone: "", subZone: "" };
  return { clusterName, localities: [{ ...locality, endpoints }] };
}

function discoveryOf(sketch: ClusterSketch): ClusterDiscovery {
  if (sketch.eds !== undefined) return { kind: "eds", serviceName: sketch.eds };
  if (!sketch.dns) return { kind: "static" };
  const respectTtl = sketch.respectTtl ?? false;
  return { kind: "strictDns", refreshRateMs: 5_000, respectTtl, lookupFamily: "auto" };
}
