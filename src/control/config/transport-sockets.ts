/**
 * Transport sockets. Requests of clients go in plain text; TLS is there for what Sluice itself sends, to clusters of the
 * bootstrap.
 */
import type { TransportSocket } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { TransportSocketConfig } from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";
import type { ClientTlsConfig } from "./tls-config.ts";
import { decodeUpstreamTls } from "./tls-contexts.ts";

/** Of filter chains, and of clusters by CDS. Absent means plain text; anything but plain text is refused. */
export function decodeTransportSocket(
  message: TransportSocket | undefined,
  context: DecodeContext,
): TransportSocketConfig {
  if (message)
    findExtension(
      "transport socket",
      { name: message.name, any: message.configType.value },
      context,
    );
  return { kind: "rawBuffer" };
}

/** Of clusters of the bootstrap: undefined is plain text. Who may use the cluster then is judged by whoever knows all. */
export function decodeClientSocket(
  message: TransportSocket | undefined,
  context: DecodeContext,
): ClientTlsConfig | undefined {
  if (!message) return undefined;
  const request = { name: message.name, any: message.configType.value };
  const found = findExtension("transport socket of a management server", request, context);
  return found?.extension.kind === "tls" ? decodeUpstreamTls(found, context) : undefined;
}
