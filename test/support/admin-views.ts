/** Views of managers as the admin sees them, with everything set that a test does not care about. */
import { clientHttp1 } from "./http1-options.ts";
import { http2Options } from "./http2-options.ts";
import type { ClusterView } from "../../src/control/cluster/cluster-view.ts";
import type { ListenerView } from "../../src/control/listener/listener-view.ts";
import { listenerTag } from "../../src/shared/common/brand.ts";

export function listenerView(overrides: Partial<ListenerView> = {}): ListenerView {
  return {
    name: "l1",
    tag: listenerTag(1),
    state: "active",
    generation: 1,
    version: "v1",
    isStatic: false,
    addresses: [{ kind: "ip", ip: "127.0.0.1", port: 0 }],
    localAddresses: [{ kind: "ip", ip: "127.0.0.1", port: 8080 }],
    awaiting: [],
    isStopped: false,
    trafficDirection: "unspecified",
    updateClass: "new",
    changed: [],
    bytes: new Uint8Array(),
    lastUpdatedMs: 0,
    ...overrides,
  };
}

const limits = {
  maxConnections: 1024,
  maxPendingRequests: 1024,
  maxRequests: 1024,
  maxRetries: 3,
};

export function clusterView(overrides: Partial<ClusterView> = {}): ClusterView {
  return {
    name: "c",
    state: "active",
    version: "",
    isStatic: true,
    config: {
      name: "c",
      statName: "c",
      discovery: { kind: "static" },
      lbPolicy: "roundRobin",
      choiceCount: 2,
      connectTimeoutMs: 5000,
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
      circuitBreakers: { default: limits, high: limits },
      healthyPanicThreshold: 50,
      failTrafficOnPanic: false,
      closeConnectionsOnHealthFailure: false,
      protocol: "http1",
      http1: clientHttp1(),
      http2: http2Options(),
      transportSocket: { kind: "rawBuffer" },
    },
    hosts: [
      {
        address: { kind: "ip", ip: "127.0.0.1", port: 1 },
        hostname: "",
        weight: 1,
        priority: 0,
        health: "healthy",
        flags: [],
      },
    ],
    hostBlocks: [],
    awaiting: [],
    bytes: new Uint8Array(),
    assignment: undefined,
    lastUpdatedMs: 0,
    ...overrides,
  };
}
