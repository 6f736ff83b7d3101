/** Clusters and hosts for tests, with defaults for all that a test does not care about. */
import { clientHttp1 } from "./http1-options.ts";
import { http2Options } from "./http2-options.ts";
import type { ClusterConfig, HostConfig } from "../../src/shared/config/cluster-config.ts";
import type { SetCluster, SetHosts } from "../../src/shared/protocol/worker-command.ts";
import { clusterLimitSlots, noTlsBlocks } from "../../src/shared/protocol/worker-command.ts";
import { StatSlab } from "../../src/shared/stats/slab.ts";
import type { ClusterEnvironment } from "../../src/data/upstream/cluster.ts";
import { WorkerRuntime } from "../../src/data/upstream/worker-runtime.ts";
import { clusterMembershipStats, clusterStats } from "../../src/shared/stats/stat-names.ts";
import { seededRandom } from "./seeded-random.ts";

const breakers = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
};

export function clusterConfig(overrides: Partial<ClusterConfig> = {}): ClusterConfig {
  return {
    name: "c",
    statName: "c",
    discovery: { kind: "static" },
    lbPolicy: "roundRobin",
    choiceCount: 2,
    connectTimeoutMs: 5_000,
    perConnectionBufferLimitBytes: 1024 * 1024,
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 0,
    retryPolicy: undefined,
    maxResponseHeadersKb: 60,
    maxResponseHeadersCount: 100,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    preconnectRatio: 1,
    predictivePreconnectRatio: 1,
    circuitBreakers: { default: breakers, high: breakers },
    healthyPanicThreshold: 50,
    failTrafficOnPanic: false,
    closeConnectionsOnHealthFailure: false,
    protocol: "http1",
    http1: clientHttp1(),
    http2: http2Options(),
    transportSocket: { kind: "rawBuffer" },
    ...overrides,
  };
}

export function hostConfig(port: number, overrides: Partial<HostConfig> = {}): HostConfig {
  return {
    address: { kind: "ip", ip: "127.0.0.1", port },
    hostname: "",
    weight: 1,
    priority: 0,
    health: "healthy",
    flags: [],
    ...overrides,
  };
}

export function clusterEnvironment(seed = 1): ClusterEnvironment {
  const slots = clusterStats.size + clusterMembershipStats.size + 1;
  return {
    slab: new StatSlab(new SharedArrayBuffer(slots * Float64Array.BYTES_PER_ELEMENT)),
    limits: new Int32Array(clusterLimitSlots),
    random: seededRandom(seed),
    runtime: new WorkerRuntime(),
    timers: { arm: () => {}, cancel: () => {} },
    onHostsFull: () => {},
    wantGrpcStats: () => {},
    onGrpcNamesFull: () => {},
  };
}

export function setCluster(config: ClusterConfig, hosts: readonly HostConfig[]): SetCluster {
  return {
    kind: "setCluster",
    config,
    hosts,
    hostBlocks: [],
    stats: 1,
    membership: 1 + clusterStats.size,
    tls: noTlsBlocks,
    http1: 0,
    http2: 0,
    limits: 0,
  };
}

/** Of the cluster `c`. */
export function setHosts(hosts: readonly HostConfig[]): SetHosts {
  return { kind: "setHosts", cluster: "c", hosts, hostBlocks: [] };
}
