import type {
  HealthCheckConfig,
  HttpProbeConfig,
} from "../../src/control/config/health-check-config.ts";

/** Every second, within half of one; two in a row decide. */
export function httpCheck(probe: Partial<HttpProbeConfig> = {}): HealthCheckConfig {
  return {
    timeoutMs: 500,
    thresholds: { unhealthy: 2, healthy: 2 },
    intervals: {
      intervalMs: 1_000,
      unhealthyMs: 1_000,
      unhealthyEdgeMs: 1_000,
      healthyEdgeMs: 1_000,
      noTrafficMs: 1_000,
      noTrafficHealthyMs: 1_000,
      initialJitterMs: 0,
      jitterMs: 0,
      jitterPercent: 0,
    },
    reuseConnection: true,
    alwaysLogFailures: false,
    altPort: undefined,
    alpnProtocols: [],
    socketLabels: undefined,
    probe: {
      kind: "http",
      method: "GET",
      path: "/hc",
      host: "",
      headers: [],
      headersRemoved: [],
      payload: new Uint8Array(),
      expectedStatuses: [{ start: 200, end: 201 }],
      retriableStatuses: [],
      serviceName: undefined,
      expectedBody: [],
      bodyBytesMax: 1_024,
      ...probe,
    },
  };
}
