/** Secrets and TLS contexts. */
import type { FieldTables } from "./field-table.ts";

const tls = "envoy.extensions.transport_sockets.tls.v3";
const providers = "certificate providers are not built";

export const tlsFields: FieldTables = {
  [`${tls}.Secret`]: {
    honoured: [
      "name",
      "tls_certificate",
      "session_ticket_keys",
      "validation_context",
      "generic_secret",
    ],
  },
  [`${tls}.SdsSecretConfig`]: { honoured: ["name", "sds_config"] },
  [`${tls}.GenericSecret`]: { honoured: ["secret"] },
  [`${tls}.TlsSessionTicketKeys`]: { honoured: ["keys"] },
  [`${tls}.TlsCertificate`]: {
    honoured: ["certificate_chain", "private_key", "password", "watched_directory", "ocsp_staple"],
    refused: {
      pkcs12: "certificates are PEM here",
      private_key_provider: "private key providers are not built",
      tls_params: "what they forbid would be allowed: set them for the whole context",
    },
    warned: { signed_certificate_timestamp: "none is sent" },
  },
  [`${tls}.CertificateValidationContext`]: {
    honoured: [
      "trusted_ca",
      "system_root_certs",
      "watched_directory",
      "verify_certificate_spki",
      "verify_certificate_hash",
      "match_typed_subject_alt_names",
      "match_subject_alt_names",
      "crl",
      "trust_chain_verification",
      "custom_validator_config",
      "max_verify_depth",
      "allow_expired_certificate",
      "only_verify_leaf_cert_crl",
    ],
    refused: {
      ca_certificate_provider_instance: "certificate providers are not built",
      require_signed_certificate_timestamp: "others would be trusted",
    },
    warned: { suppress_client_ca_list: "clients are told which CAs are trusted" },
  },
  [`${tls}.SPIFFECertValidatorConfig`]: {
    honoured: ["trust_domains"],
    refused: { trust_bundles: "use trust_domains" },
    isMatcher: true,
  },
  [`${tls}.SPIFFECertValidatorConfig.TrustDomain`]: {
    honoured: ["name", "trust_bundle"],
    refused: { workload_trust_domain: "the bundle would hold for every workload" },
    isMatcher: true,
  },
  [`${tls}.DownstreamTlsContext`]: {
    honoured: [
      "common_tls_context",
      "require_client_certificate",
      "session_ticket_keys",
      "session_ticket_keys_sds_secret_config",
      "disable_stateless_session_resumption",
      "disable_stateful_session_resumption",
      "session_timeout",
      "ocsp_staple_policy",
      "prefer_client_ciphers",
    ],
    warned: {
      require_sni: "Envoy does not heed it either",
      full_scan_certs_on_sni_mismatch:
        "a name that no certificate has is always served by what the client can verify",
    },
  },
  [`${tls}.UpstreamTlsContext`]: {
    honoured: [
      "common_tls_context",
      "sni",
      "auto_host_sni",
      "allow_renegotiation",
      "max_session_keys",
      // Always on, as in Envoy, whatever it says.
      "enforce_rsa_key_usage",
    ],
    refused: {
      auto_sni_san_validation: "servers of other names would be trusted",
    },
  },
  [`${tls}.TlsKeyLog`]: {
    honoured: ["path", "local_address_range", "remote_address_range"],
  },
  [`${tls}.CommonTlsContext`]: {
    honoured: [
      "tls_params",
      "tls_certificates",
      "tls_certificate_sds_secret_configs",
      "validation_context",
      "validation_context_sds_secret_config",
      "combined_validation_context",
      "alpn_protocols",
      "key_log",
    ],
    refused: {
      custom_tls_certificate_selector: "another certificate would be shown",
      tls_certificate_provider_instance: providers,
      tls_certificate_certificate_provider: providers,
      tls_certificate_certificate_provider_instance: providers,
      validation_context_certificate_provider: providers,
      validation_context_certificate_provider_instance: providers,
      custom_handshaker: "handshakers are not built",
    },
  },
  [`${tls}.CommonTlsContext.CombinedCertificateValidationContext`]: {
    honoured: ["default_validation_context", "validation_context_sds_secret_config"],
    refused: {
      validation_context_certificate_provider: providers,
      validation_context_certificate_provider_instance: providers,
    },
  },
  [`${tls}.TlsParameters`]: {
    honoured: [
      "tls_minimum_protocol_version",
      "tls_maximum_protocol_version",
      "cipher_suites",
      "ecdh_curves",
      "signature_algorithms",
    ],
    refused: { compliance_policies: "what they forbid would be allowed" },
  },
  [`${tls}.SubjectAltNameMatcher`]: { honoured: ["san_type", "matcher"], isMatcher: true },
};
