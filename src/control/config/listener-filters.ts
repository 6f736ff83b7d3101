/** Listener filters: `envoy.config.listener.v3.ListenerFilter`, with the rules that leave one out. */
import type {
  ListenerFilter,
  ListenerFilterChainMatchPredicate,
} from "../../../gen/es/envoy/config/listener/v3/listener_components_pb.d.ts";
import type { LocalRateLimit } from "../../../gen/es/envoy/extensions/filters/listener/local_ratelimit/v3/local_ratelimit_pb.d.ts";
import type { OriginalSrc } from "../../../gen/es/envoy/extensions/filters/listener/original_src/v3/original_src_pb.d.ts";
import type { ProxyProtocol } from "../../../gen/es/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.d.ts";
import type { TlsInspector } from "../../../gen/es/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.d.ts";
import type {
  ListenerFilterConfig,
  ListenerFilterKind,
  ListenerFilterMatch,
  LocalRateLimitConfig,
  ProxyProtocolConfig,
  TlsInspectorConfig,
} from "../../shared/config/listener-filter-config.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { TypedConfig } from "../proto/any.ts";
import type { DecodeContext } from "./decode-context.ts";
import { type ExtensionKind, findExtension } from "./extensions.ts";

const types = "envoy.extensions.filters.listener";
/** Docs: `TlsInspector.max_client_hello_size`: 16 KiB, and no more. */
const helloBytesMaxDefault = 16 * 1024;

export function decodeListenerFilters(
  messages: readonly ListenerFilter[],
  context: DecodeContext,
): readonly ListenerFilterConfig[] {
  return messages.flatMap(({ name, configType, filterDisabled }) => {
    if (configType.case === "configDiscovery") return [];
    const found = findExtension("listener filter", { name, any: configType.value }, context);
    const filter = found && decoders[found.extension.kind]?.(found.config, context);
    const disabledFor = filterDisabled && decodeMatch(filterDisabled);
    return filter ? { name, disabledFor, filter } : [];
  });
}

type Decode = (config: TypedConfig, context: DecodeContext) => ListenerFilterKind | undefined;

const decoders: Partial<Record<ExtensionKind, Decode>> = {
  tlsInspector: (config, context) => {
    const schema = context.protos.schema<TlsInspector>(`${types}.tls_inspector.v3.TlsInspector`);
    const message = context.read(config, schema);
    return message && tlsInspectorOf(message);
  },
  httpInspector: () => ({ kind: "httpInspector" }),
  originalDestination: () => ({ kind: "originalDestination" }),
  originalSource: (config, context) => {
    const schema = context.protos.schema<OriginalSrc>(`${types}.original_src.v3.OriginalSrc`);
    const message = context.read(config, schema);
    return message && { kind: "originalSource", mark: message.mark };
  },
  localRateLimit: (config, context) => {
    const schema = context.protos.schema<LocalRateLimit>(
      `${types}.local_ratelimit.v3.LocalRateLimit`,
    );
    const message = context.read(config, schema);
    return message && localRateLimitOf(message, context);
  },
  proxyProtocol: (config, context) => {
    const schema = context.protos.schema<ProxyProtocol>(`${types}.proxy_protocol.v3.ProxyProtocol`);
    const message = context.read(config, schema);
    return message && proxyProtocolOf(message);
  },
};

function tlsInspectorOf(message: TlsInspector): TlsInspectorConfig {
  const helloBytesMax = message.maxClientHelloSize ?? helloBytesMaxDefault;
  return {
    kind: "tlsInspector",
    ja3: message.enableJa3Fingerprinting ?? false,
    ja4: message.enableJa4Fingerprinting ?? false,
    closesOnParsingErrors: message.closeConnectionOnClientHelloParsingErrors,
    initialReadBytes: Math.min(message.initialReadBufferSize ?? helloBytesMax, helloBytesMax),
    helloBytesMax,
  };
}

/** Envoy: `LocalRateLimiterImpl`. */
const fillIntervalMsMin = 50;

function localRateLimitOf(
  { statPrefix, tokenBucket, runtimeEnabled }: LocalRateLimit,
  context: DecodeContext,
): LocalRateLimitConfig {
  const fillIntervalMs = durationMsOr(tokenBucket?.fillInterval, 0);
  if (fillIntervalMs < fillIntervalMsMin)
    context.refuse(`local rate limit token bucket fill timer must be >= ${fillIntervalMsMin}ms`);
  return {
    kind: "localRateLimit",
    statPrefix,
    maxTokens: tokenBucket?.maxTokens ?? 0,
    tokensPerFill: tokenBucket?.tokensPerFill ?? 1,
    fillIntervalMs,
    enabled: {
      runtimeKey: runtimeEnabled?.runtimeKey ?? "",
      otherwise: runtimeEnabled?.defaultValue ?? true,
    },
  };
}

/** By the numbers of `ProxyProtocolConfig.Version`. */
const versions = ["v1", "v2"] as const;

function proxyProtocolOf(message: ProxyProtocol): ProxyProtocolConfig {
  return {
    kind: "proxyProtocol",
    statPrefix: message.statPrefix,
    allowsNone: message.allowRequestsWithoutProxyProtocol,
    disallowedVersions: message.disallowedVersions.flatMap((version) => versions[version] ?? []),
  };
}

function decodeMatch({ rule }: ListenerFilterChainMatchPredicate): ListenerFilterMatch {
  switch (rule.case) {
    case "orMatch":
      return { kind: "or", rules: rule.value.rules.map(decodeMatch) };
    case "andMatch":
      return { kind: "and", rules: rule.value.rules.map(decodeMatch) };
    case "notMatch":
      return { kind: "not", rule: decodeMatch(rule.value) };
    case "destinationPortRange":
      return { kind: "destinationPort", start: rule.value.start, end: rule.value.end };
    // `any_match` must be true by the validation rules, which require a rule as well.
    case "anyMatch":
    case undefined:
      return { kind: "any" };
    default:
      return rule satisfies never;
  }
}
