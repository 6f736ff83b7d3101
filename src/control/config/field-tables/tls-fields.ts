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
    honoured: ["certificate_chain", "private_key", "password", "watched_directory"],
    refused: {
      pkcs12: "certificates are PEM here",
      private_key_provider: "private key providers are not built",
    },
    warned: {
      ocsp_staple: "no OCSP response is stapled",
      signed_certificate_timestamp: "none is sent",
    },
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
    ],
    refused: {
      ca_certificate_provider_instance: "certificate providers are not built",
      require_signed_certificate_timestamp: "others would be trusted",
      custom_validator_config: "others would be trusted",
      max_verify_depth: "others would be trusted",
    },
    warned: {
      allow_expired_certificate: "an expired certificate is refused",
      only_verify_leaf_cert_crl: "every certificate of a chain is looked for in the CRL",
    },
  },
  [`${tls}.UpstreamTlsContext`]: {
    honoured: ["common_tls_context", "sni"],
    refused: { enforce_rsa_key_usage: "certificates for other uses would be trusted" },
    warned: {
      allow_renegotiation: "nothing is negotiated again",
      max_session_keys: "no session is resumed",
    },
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
    ],
    refused: {
      tls_certificate_provider_instance: providers,
      tls_certificate_certificate_provider: providers,
      tls_certificate_certificate_provider_instance: providers,
      validation_context_certificate_provider: providers,
      validation_context_certificate_provider_instance: providers,
      custom_handshaker: "handshakers are not built",
    },
    warned: { key_log: "no keys are logged" },
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
