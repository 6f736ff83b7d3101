/**
 * Two listeners that answer by themselves, `plain` and `secured`, behind every look that a connection can be given.
 * Garbage is collected every ten seconds (`shrink_heap`): what is measured after that is held, not forgotten.
 */
import type { TestCertificate } from "./certificates.ts";
import { listenerFilter } from "./listener-filter-stage.ts";
import { adminOnPortZero } from "./sluice-program.ts";
import { inlinePair, serverSocket, underTls } from "./tls-resources.ts";
import { answersWith, httpListener } from "./truth-resources.ts";

export function leakBootstrap(own: TestCertificate): object {
  const filters = [
    listenerFilter("proxy_protocol", "ProxyProtocol", {
      allow_requests_without_proxy_protocol: true,
    }),
    listenerFilter("tls_inspector", "TlsInspector"),
  ];
  const listener = (name: string): object =>
    httpListener(
      name,
      { route_config: answersWith("ok", { name: "all" }) },
      { stat_prefix: name, listener_filters: filters },
    );
  const socket = serverSocket({ tls_certificates: [inlinePair(own)] });
  return {
    admin: adminOnPortZero,
    static_resources: { listeners: [listener("plain"), underTls(listener("secured"), socket)] },
    overload_manager: alwaysShrinking,
  };
}

const monitor = "envoy.resource_monitors.fixed_heap";
const alwaysShrinking = {
  refresh_interval: "1s",
  resource_monitors: [
    {
      name: monitor,
      typed_config: {
        "@type":
          "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
        max_heap_size_bytes: 2 ** 30,
      },
    },
  ],
  actions: [
    {
      name: "envoy.overload_actions.shrink_heap",
      triggers: [{ name: monitor, threshold: { value: 0.001 } }],
    },
  ],
};
