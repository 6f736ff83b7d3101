/** `HttpConnectionManager`: defaults are Envoy's, as documented field by field in its proto. */
import type { HttpConnectionManager } from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import type {
  ClientCertConfig,
  HttpConnectionManagerConfig,
} from "../../shared/config/http-config.ts";
import { durationMs, durationMsOr } from "../proto/duration.ts";
import { decodeAccessLogs } from "./access-logs.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import { findExtension } from "./extensions.ts";
import { decodeServerHttp1 } from "./http1-options.ts";
import { judgeHeadSizes } from "./head-sizes.ts";
import { decodeHttp2Options } from "./http2-options.ts";
import { decodeHttpFilters } from "./http-filters.ts";
import { judgeResourceName } from "./resource-names.ts";
import { decodeInlineRoutes } from "./route-configs.ts";
import { decodeScopedRoutes } from "./scoped-routes.ts";
import { decodeManagerUpgrades } from "./upgrades.ts";

const hourMs = 3_600_000;
/** By the numbers of `HttpConnectionManager.CodecType`; HTTP/3 is refused. */
const codecs = ["auto", "http1", "http2"] as const;
/** By the numbers of `ServerHeaderTransformation`. */
const serverHeaders = ["overwrite", "appendIfAbsent", "passThrough"] as const;
/** By the numbers of `HeadersWithUnderscoresAction`. */
const underscores = ["allow", "rejectRequest", "dropHeader"] as const;

export function decodeHttpConnectionManager(
  message: HttpConnectionManager,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpConnectionManagerConfig {
  const { commonHttpProtocolOptions: common } = message;
  judge(message, context);
  return {
    statPrefix: message.statPrefix,
    codec: codecs[Number(message.codecType)] ?? "auto",
    routes: decodeRouteSpecifier(message, needs, context),
    filters: decodeHttpFilters(message.httpFilters, needs, context),
    serverName: message.serverName === "" ? "envoy" : message.serverName,
    serverHeader: serverHeaders[message.serverHeaderTransformation] ?? "overwrite",
    via: message.via,
    useRemoteAddress: message.useRemoteAddress ?? false,
    xffNumTrustedHops: message.xffNumTrustedHops,
    skipXffAppend: message.skipXffAppend,
    clientCert: decodeClientCert(message),
    generateRequestId: message.generateRequestId ?? true,
    preserveExternalRequestId: message.preserveExternalRequestId,
    alwaysSetRequestIdInResponse: message.alwaysSetRequestIdInResponse,
    maxRequestHeadersKb: message.maxRequestHeadersKb ?? requestHeadersKbDefault,
    maxRequestHeadersCount: common?.maxHeadersCount ?? 100,
    idleTimeoutMs: durationMsOr(common?.idleTimeout, hourMs),
    maxConnectionDurationMs: durationMsOr(common?.maxConnectionDuration, 0),
    connectionDurationJitterPercent: common?.maxConnectionDurationJitter?.value ?? 0,
    http1SafeMaxConnectionDuration: message.http1SafeMaxConnectionDuration,
    streamIdleTimeoutMs: durationMsOr(message.streamIdleTimeout, 300_000),
    requestTimeoutMs: durationMsOr(message.requestTimeout, 0),
    requestHeadersTimeoutMs: durationMsOr(message.requestHeadersTimeout, 0),
    maxStreamDurationMs: durationMsOr(common?.maxStreamDuration, 0),
    drainTimeoutMs: durationMsOr(message.drainTimeout, 5_000),
    delayedCloseTimeoutMs: message.delayedCloseTimeout
      ? durationMs(message.delayedCloseTimeout)
      : 1_000,
    maxRequestsPerConnection: common?.maxRequestsPerConnection ?? 0,
    normalizePath: message.normalizePath ?? false,
    mergeSlashes: message.mergeSlashes,
    stripPort: decodeStripPort(message),
    http1: decodeServerHttp1(
      message.httpProtocolOptions,
      message.streamErrorOnInvalidHttpMessage,
      context,
    ),
    upgrades: decodeManagerUpgrades(message.upgradeConfigs, needs, context),
    http2: decodeHttp2Options(
      message.http2ProtocolOptions,
      message.streamErrorOnInvalidHttpMessage,
      context,
    ),
    headersWithUnderscores: underscores[common?.headersWithUnderscoresAction ?? 0] ?? "allow",
    accessLog: decodeAccessLogs(message.accessLog, context),
  };
}

/** By the numbers of `ForwardClientCertDetails`. */
const clientCertForms = [
  "sanitize",
  "forwardOnly",
  "appendForward",
  "sanitizeSet",
  "alwaysForwardOnly",
] as const;

function decodeClientCert({
  forwardClientCertDetails,
  setCurrentClientCertDetails: details,
}: HttpConnectionManager): ClientCertConfig {
  return {
    forward: clientCertForms[forwardClientCertDetails] ?? "sanitize",
    details: {
      subject: details?.subject ?? false,
      cert: details?.cert ?? false,
      chain: details?.chain ?? false,
      dns: details?.dns ?? false,
      uri: details?.uri ?? false,
    },
  };
}

/** Docs: `max_request_headers_kb`. */
const requestHeadersKbDefault = 60;
/** By the numbers of `PathWithEscapedSlashesAction`: the default and KEEP_UNCHANGED are what we do. */
const keepsEscapedSlashes = [0, 1];
/** By the numbers of `CodecType`. */
const codecsNotBuilt = new Map([[3, "HTTP3"]]);

function judge(message: HttpConnectionManager, context: DecodeContext): void {
  judgeHeadSizes(
    message.maxRequestHeadersKb ?? requestHeadersKbDefault,
    message.http2ProtocolOptions,
    {
      part: "request",
      context,
    },
  );
  const codec = codecsNotBuilt.get(Number(message.codecType));
  if (codec !== undefined) context.refuse(`codec_type ${codec} is not built`);
  if (!keepsEscapedSlashes.includes(message.pathWithEscapedSlashesAction))
    context.refuse(
      "path_with_escaped_slashes_action other than KEEP_UNCHANGED is not supported: paths would be matched in another form",
    );
  if (message.stripMatchingHostPort && message.stripPortMode.value === true)
    context.refuse(
      "Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can be set.",
    );
  const idExtension = message.requestIdExtension?.typedConfig;
  if (!idExtension) return;
  const found = findExtension(
    "request ID extension",
    { name: "request_id_extension", any: idExtension },
    context,
  );
  const schema = found && context.protos.find(found.extension.typeName);
  if (found && schema) context.read(found.config, context.protos.schema(schema.typeName));
}

function decodeStripPort(message: HttpConnectionManager): HttpConnectionManagerConfig["stripPort"] {
  if (message.stripPortMode.value === true) return "any";
  return message.stripMatchingHostPort ? "matching" : "none";
}

function decodeRouteSpecifier(
  { routeSpecifier: specifier, statPrefix }: HttpConnectionManager,
  needs: ListenerNeeds,
  context: DecodeContext,
): HttpConnectionManagerConfig["routes"] {
  switch (specifier.case) {
    case "rds": {
      const { routeConfigName: name, configSource } = specifier.value;
      judgeResourceName(name, context);
      if (configSource)
        needs.dependencies.push({
          kind: "rds",
          routeConfigName: name,
          source: decodeConfigSource(configSource, context),
          statPrefix,
        });
      return { kind: "rds", name };
    }
    case "routeConfig":
      return { kind: "inline", config: decodeInlineRoutes(specifier.value, needs, context) };
    case "scopedRoutes":
      return {
        kind: "scoped",
        config: decodeScopedRoutes(specifier.value, statPrefix, needs, context),
      };
    case undefined:
      return { kind: "rds", name: "" };
    default:
      return specifier satisfies never;
  }
}
