import type { TransportSocket } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import type { TransportSocketConfig } from "../../shared/config/listener-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { findExtension } from "./extensions.ts";

/** Of filter chains and clusters. Absent means plain text; anything but plain text is refused. */
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
