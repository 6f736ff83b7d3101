import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DecodedListener } from "../../../src/control/config/decoded-listener.ts";
import type { DownstreamTlsConfig } from "../../../src/control/config/tls-config.ts";
import type { DecodeResult } from "../../../src/control/proto/decode-result.ts";
import {
  decodeClusterYaml,
  decodeListenerYaml,
  errorsOf,
  listenerYaml,
  tcpProxyYaml,
  valueOf,
} from "../../support/config-tools.ts";

const tlsTypes = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";
const pair = "{certificate_chain: {filename: /c}, private_key: {filename: /k}}";
const certificate = `tls_certificates: [${pair}]`;

const downstream = (common: string, fields = ""): DecodeResult<unknown> =>
  decodeListenerYaml(
    listenerYaml(
      `filter_chains: [{filters: [${tcpProxyYaml()}], transport_socket: {name: t, typed_config: {"@type": ${tlsTypes}.DownstreamTlsContext, common_tls_context: {${common}}${fields === "" ? "" : `, ${fields}`}}}}]`,
    ),
  );

function tlsOf(result: DecodeResult<unknown>): DownstreamTlsConfig {
  const { dependencies } = valueOf(result) as DecodedListener;
  const [dependency] = dependencies;
  assert(dependency?.kind === "tls");
  return dependency.config;
}

test("a filter chain names its context, and the listener depends on it", () => {
  const listener = valueOf(downstream(certificate)) as DecodedListener;
  const tls = tlsOf(downstream(certificate));
  assert.deepEqual(listener.config.filterChains[0]?.transportSocket, {
    kind: "tls",
    contextId: tls.id,
  });
  assert.equal(listener.facts.speaksTls, true);
  const { minVersion, maxVersion } = tls.parameters;
  assert.deepEqual([minVersion, maxVersion], ["TLSv1.2", "TLSv1.3"]);
  assert.deepEqual(tls.ticketKeys, { kind: "own" });
  assert.equal(tls.validation, undefined);
  assert.equal(tls.ocspStaplePolicy, "lenient");
});

test("contexts that say the same have one id, others have not", () => {
  const idOf = (common: string, fields = ""): string => tlsOf(downstream(common, fields)).id;
  assert.equal(idOf(certificate), idOf(certificate));
  assert.notEqual(idOf(certificate), idOf(certificate, "require_client_certificate: true"));
});

test("every field of a server's context is read", () => {
  const named = "{name: s, sds_config: {ads: {}}}";
  const tls = tlsOf(
    downstream(
      `tls_certificate_sds_secret_configs: [${named}, ${named}], validation_context_sds_secret_config: ${named}, key_log: {path: /l, local_address_range: [{address_prefix: 10.0.0.0, prefix_len: 8}]}`,
      "require_client_certificate: true, session_timeout: 60s, disable_stateful_session_resumption: true, ocsp_staple_policy: STRICT_STAPLING, session_ticket_keys_sds_secret_config: {name: keys, sds_config: {ads: {}}}, prefer_client_ciphers: true",
    ),
  );
  assert.equal(tls.certificates.length, 2);
  assert.equal(tls.requireClientCertificate, true);
  assert.equal(tls.sessionTimeoutS, 60);
  assert.equal(tls.disableStatefulResumption, true);
  assert.equal(tls.ocspStaplePolicy, "strict");
  assert.equal(tls.preferClientCiphers, true);
  assert.equal(tls.ticketKeys.kind, "secret");
  assert.deepEqual(tls.keyLog, {
    path: "/l",
    localRanges: [{ ip: "10.0.0.0", prefixLength: 8 }],
    remoteRanges: [],
  });
  const keyless = tlsOf(downstream(certificate, "disable_stateless_session_resumption: true"));
  assert.equal(keyless.ticketKeys.kind, "none");
});

test("the SPIFFE validator has a bundle for each trust domain", () => {
  const validator = (domains: string): string =>
    `${certificate}, validation_context: {custom_validator_config: {name: envoy.tls.cert_validator.spiffe, typed_config: {"@type": ${tlsTypes}.SPIFFECertValidatorConfig, trust_domains: [${domains}]}}}`;
  const one = "{name: a, trust_bundle: {filename: /a}}";
  const { validation } = tlsOf(downstream(validator(one)));
  assert(validation?.secret.kind === "inline");
  const { value } = validation.secret;
  assert(value.kind === "validationContext");
  assert.deepEqual(
    value.context.trustDomains?.map(({ name }) => name),
    ["a"],
  );
  assert.match(
    errorsOf(downstream(validator(`${one}, ${one}`))).join(),
    /Multiple trust bundles are given for one trust domain for a/,
  );
});

/** The texts are Envoy's (1.40). */
const refusals: readonly (readonly [string, DecodeResult<unknown>, RegExp])[] = [
  ["no certificate", downstream(""), /^No TLS certificates found for server context$/],
  [
    "certificates of both kinds",
    downstream(`${certificate}, tls_certificate_sds_secret_configs: [{name: s}]`),
    /^SDS and non-SDS TLS certificates may not be mixed in server contexts$/,
  ],
  [
    "a validator that is not built",
    downstream(
      `${certificate}, validation_context: {custom_validator_config: {name: x, typed_config: {"@type": type.googleapis.com/google.protobuf.Struct}}}`,
    ),
    /implementation for 'x'.*certificate validator: built are envoy.tls.cert_validator.spiffe/,
  ],
  [
    "a handshaker of another kind",
    downstream(
      `${certificate}, custom_handshaker: {name: x, typed_config: {"@type": type.googleapis.com/google.protobuf.Struct}}`,
    ),
    /custom_handshaker is not supported/,
  ],
  [
    "a suite that nobody knows",
    downstream(`${certificate}, tls_params: {cipher_suites: [FOO]}`),
    /^Failed to initialize cipher suites FOO\. The following ciphers were rejected when tried individually: FOO$/,
  ],
  [
    "a curve that nobody knows",
    downstream(`${certificate}, tls_params: {ecdh_curves: [FOO]}`),
    /^Failed to initialize ECDH curves FOO$/,
  ],
  [
    "compliance policies",
    downstream(`${certificate}, tls_params: {compliance_policies: [FIPS_202205]}`),
    /compliance_policies is not supported/,
  ],
  [
    "an OCSP response as text",
    downstream(
      "tls_certificates: [{certificate_chain: {filename: /c}, private_key: {filename: /k}, ocsp_staple: {inline_string: x}}]",
    ),
    /^OCSP staple cannot be provided via inline_string$/,
  ],
];

describe("a server's context is refused as by Envoy", () => {
  for (const [name, result, error] of refusals)
    test(name, () => assert.match(errorsOf(result).join("\n"), error));
});

const upstream = (fields: string): string =>
  `{name: t, typed_config: {"@type": ${tlsTypes}.UpstreamTlsContext, ${fields}}}`;
const endpoint = (metadata: string): string =>
  `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 80}}}, metadata: ${metadata}}`;

test("a cluster has a transport socket of its own, and others for hosts by their metadata", () => {
  const cluster = valueOf(
    decodeClusterYaml(
      `{name: c, transport_socket: ${upstream("sni: a.test, auto_host_sni: true, max_session_keys: 3, allow_renegotiation: true, common_tls_context: {alpn_protocols: [h2]}")}, transport_socket_matches: [{name: plain, match: {mode: plain}, transport_socket: {name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}}, {name: rest, match: {}, transport_socket: ${upstream("sni: b.test")}}], load_assignment: {cluster_name: c, endpoints: [{metadata: {filter_metadata: {envoy.transport_socket_match: {zone: a}}}, lb_endpoints: [${endpoint("{filter_metadata: {envoy.transport_socket_match: {mode: plain}}}")}]}]}}`,
    ),
  );
  const { tls, socketMatches, config, loadAssignment } = cluster;
  assert.equal(tls?.sni, "a.test");
  assert.equal(tls.maxSessionKeys, 3);
  assert.equal(tls.allowRenegotiation, true);
  const { maxVersion } = tls.parameters;
  assert.equal(maxVersion, "TLSv1.2");
  assert.deepEqual(config.transportSocket, {
    kind: "tls",
    contextId: tls.id,
    autoHostSni: true,
    alpnProtocols: ["h2"],
  });
  assert.deepEqual(
    socketMatches.map((match) => [match.name, match.labels, match.tls?.sni]),
    [
      ["plain", { mode: "plain" }, undefined],
      ["rest", {}, "b.test"],
    ],
  );
  assert.deepEqual(loadAssignment?.localities[0]?.endpoints[0]?.socketLabels, {
    endpoint: { mode: "plain" },
    locality: { zone: "a" },
  });
});

test("a client's context is refused as by Envoy", () => {
  const errors = errorsOf(
    decodeClusterYaml(
      `{name: c, transport_socket: ${upstream(`common_tls_context: {tls_certificates: [${pair}, ${pair}]}`)}}`,
    ),
  );
  assert.deepEqual(errors, ["Multiple TLS certificates are not supported for client contexts"]);
  assert.match(
    errorsOf(
      decodeClusterYaml(`{name: c, transport_socket: ${upstream("enforce_rsa_key_usage: true")}}`),
    ).join(),
    /enforce_rsa_key_usage is not supported/,
  );
});
