/** Transport sockets: of filter chains and of clusters. Absent means plain text. */
import type { TransportSocket } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { UpstreamSocketConfig } from "../../shared/config/cluster-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { decodeDownstreamTls } from "./downstream-tls.ts";
import { type ExtensionCategory, findExtension, type FoundExtension } from "./extensions.ts";
import type { UpstreamTlsConfig, DownstreamTlsConfig } from "./tls-config.ts";
import { decodeUpstreamTls } from "./upstream-tls.ts";

/** Of a filter chain; undefined: plain text. */
export function decodeServerSocket(
  message: TransportSocket | undefined,
  context: DecodeContext,
): DownstreamTlsConfig | undefined {
  const found = message && find("transport socket", message, context);
  return found?.extension.kind === "tls" ? decodeDownstreamTls(found, context) : undefined;
}

/** Of a cluster; undefined: plain text. */
export function decodeClientSocket(
  message: TransportSocket | undefined,
  context: DecodeContext,
): UpstreamTlsConfig | undefined {
  const found = message && find("upstream transport socket", message, context);
  return found?.extension.kind === "tls" ? decodeUpstreamTls(found, context) : undefined;
}

/** What workers need to know of it, beside the context that they get under its id. */
export function upstreamSocketOf(tls: UpstreamTlsConfig | undefined): UpstreamSocketConfig {
  if (!tls) return { kind: "rawBuffer" };
  const { id: contextId, autoHostSni, alpnProtocols } = tls;
  return { kind: "tls", contextId, autoHostSni, alpnProtocols };
}

function find(
  category: ExtensionCategory,
  { name, configType }: TransportSocket,
  context: DecodeContext,
): FoundExtension | undefined {
  return findExtension(category, { name, any: configType.value }, context);
}
