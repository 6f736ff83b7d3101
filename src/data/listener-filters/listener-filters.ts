/** The listener filters of one listener on one worker, made from their configurations. */
import type {
  ListenerFilterConfig,
  ListenerFilterMatch,
} from "../../shared/config/listener-filter-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { listenerFilterPrefixes } from "../../shared/stats/listener-filter-stats.ts";
import { blockOf } from "../../shared/protocol/worker-command.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { ListenerFilterFactory } from "./listener-filter.ts";
import { createHttpInspectorFactory } from "./http-inspector.ts";
import { originalDestinationFactory } from "./original-destination.ts";
import { createProxyProtocolFactory } from "./proxy-protocol.ts";
import { createTlsInspectorFactory } from "./tls-inspector.ts";

export interface ListenerFilterEntry {
  readonly disabledFor: ListenerFilterMatch | undefined;
  readonly factory: ListenerFilterFactory;
}

export function createListenerFilters(
  configs: readonly ListenerFilterConfig[],
  worker: WorkerContext,
  slots: ListenerSlots,
): readonly ListenerFilterEntry[] {
  return configs.map((config) => ({
    disabledFor: config.disabledFor,
    factory: createFactory(config, worker, slots),
  }));
}

function createFactory(
  { filter }: ListenerFilterConfig,
  { slab }: WorkerContext,
  slots: ListenerSlots,
): ListenerFilterFactory {
  const block = (prefix: string): number => blockOf(slots.listenerFilters, prefix);
  switch (filter.kind) {
    case "tlsInspector":
      return createTlsInspectorFactory({
        config: filter,
        slab,
        stats: block(listenerFilterPrefixes.tlsInspector),
      });
    case "httpInspector":
      return createHttpInspectorFactory({
        slab,
        stats: block(listenerFilterPrefixes.httpInspector),
      });
    case "originalDestination":
      return originalDestinationFactory;
    case "proxyProtocol":
      return createProxyProtocolFactory({
        config: filter,
        slab,
        stats: block(listenerFilterPrefixes.proxyProtocol(filter.statPrefix)),
        errorStats: block(""),
      });
    default:
      return filter satisfies never;
  }
}
