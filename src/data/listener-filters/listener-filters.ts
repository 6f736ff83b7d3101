/** The listener filters of one listener on one worker, made from their configurations. */
import type {
  ListenerFilterConfig,
  ListenerFilterMatch,
} from "../../shared/config/listener-filter-config.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import { listenerFilterPrefixes } from "../../shared/stats/listener-filter-stats.ts";
import { blockOf, tokenBucketSlots } from "../../shared/protocol/worker-command.ts";
import type { WorkerContext } from "../network/worker-context.ts";
import type { ListenerFilterFactory } from "./listener-filter.ts";
import { createHttpInspectorFactory } from "./http-inspector.ts";
import { createLocalRateLimitFactory } from "./local-rate-limit.ts";
import { SharedTokenBucket } from "./shared-token-bucket.ts";
import { originalDestinationFactory } from "./original-destination.ts";
import { createOriginalSourceFactory } from "./original-source.ts";
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
  let bucketIndex = slots.tokenBuckets;
  return configs.map((config) => {
    const factory = createFactory(config, worker, { slots, bucketIndex });
    if (config.filter.kind === "localRateLimit") bucketIndex += tokenBucketSlots;
    return { disabledFor: config.disabledFor, factory };
  });
}

function createFactory(
  { filter }: ListenerFilterConfig,
  worker: WorkerContext,
  { slots, bucketIndex }: { readonly slots: ListenerSlots; readonly bucketIndex: number },
): ListenerFilterFactory {
  const { slab } = worker;
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
    case "localRateLimit":
      return createLocalRateLimitFactory({
        ...worker,
        config: filter,
        bucket: new SharedTokenBucket(worker.limits, bucketIndex, {
          maxTokens: filter.maxTokens,
          fillMs: filter.fillIntervalMs / filter.tokensPerFill,
        }),
        stats: block(listenerFilterPrefixes.localRateLimit(filter.statPrefix)),
      });
    case "originalSource":
      return createOriginalSourceFactory(filter);
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
