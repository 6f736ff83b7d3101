/** `envoy.config.core.v3.Http1ProtocolOptions`, as far as listeners and clusters read it alike. */
import type { Http1ProtocolOptions } from "../../../gen/es/envoy/config/core/v3/protocol_pb.d.ts";

/** Names of fields go out `Like-This`; else as they are, in lower case. */
export function isProperCase(options: Http1ProtocolOptions | undefined): boolean {
  return options?.headerKeyFormat?.headerFormat.case === "properCaseWords";
}
