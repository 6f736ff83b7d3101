/**
 * Whether bytes that differ are one resource in two spellings. Protobuf leaves the order of map entries to the
 * writer, Go's shuffles it on purpose, and control planes build lists from maps: routes that come again in another
 * order are the same routes, and nothing may be told to workers for them.
 *
 * What one would get wrong: a map may also stand inside an Any, where the outer message sees nothing but bytes.
 */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { typeNameOf } from "../proto/type-url.ts";
import { type CanonicalRules, makeCanonical } from "./canonical.ts";

/** Repeated fields that are sets: whatever the order, the same is matched, chosen or removed. */
const setFields: ReadonlySet<string> = new Set([
  ...fieldsOf("config.endpoint.v3.ClusterLoadAssignment", ["endpoints"]),
  ...fieldsOf("config.endpoint.v3.LocalityLbEndpoints", ["lb_endpoints"]),
  ...fieldsOf("config.listener.v3.Listener", ["filter_chains"]),
  ...fieldsOf("config.listener.v3.FilterChainMatch", [
    "prefix_ranges",
    "source_prefix_ranges",
    "direct_source_prefix_ranges",
    "source_ports",
    "server_names",
    "application_protocols",
  ]),
  ...fieldsOf("config.route.v3.RouteConfiguration", [
    "virtual_hosts",
    "internal_only_headers",
    "request_headers_to_remove",
    "response_headers_to_remove",
  ]),
  ...fieldsOf("config.route.v3.VirtualHost", [
    "domains",
    "request_headers_to_remove",
    "response_headers_to_remove",
  ]),
  ...fieldsOf("config.route.v3.Route", ["request_headers_to_remove", "response_headers_to_remove"]),
  ...fieldsOf("extensions.transport_sockets.tls.v3.CertificateValidationContext", [
    "match_typed_subject_alt_names",
    "verify_certificate_hash",
    "verify_certificate_spki",
  ]),
]);

export type Equivalence = (desc: DescMessage, a: Uint8Array, b: Uint8Array) => boolean;

/** Never throws; what cannot be read is like nothing else. */
export function createEquivalence(protos: ProtoRegistry): Equivalence {
  const rules: CanonicalRules = {
    isSet: (field: DescField) => setFields.has(`${field.parent.typeName}.${field.name}`),
    visit: (desc, message) => {
      if (desc.typeName !== "google.protobuf.Any") return;
      const any = message as Any;
      const content = protos.find(typeNameOf(any.typeUrl));
      if (content) any.value = canonicalBytes(content, any.value);
    },
  };
  const canonicalBytes = (desc: DescMessage, bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
    const message = fromBinary(desc, bytes);
    makeCanonical(desc, message, rules);
    return toBinary(desc, message);
  };
  return (desc, a, b) => {
    try {
      return Buffer.compare(canonicalBytes(desc, a), canonicalBytes(desc, b)) === 0;
    } catch {
      // Anys may be nested deeper than the stack is, and need not hold what they say.
      return false;
    }
  };
}

function fieldsOf(message: string, fields: readonly string[]): readonly string[] {
  return fields.map((field) => `envoy.${message}.${field}`);
}
