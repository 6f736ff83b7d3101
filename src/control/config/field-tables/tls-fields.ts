/** Secrets and TLS contexts. */
import type { FieldTables } from "./field-table.ts";

const tls = "envoy.extensions.transport_sockets.tls.v3";

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
  [`${tls}.SubjectAltNameMatcher`]: { honoured: ["san_type", "matcher"], isMatcher: true },
};
