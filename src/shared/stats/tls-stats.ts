/**
 * TLS under Envoy's names: `listener.<address>.` and `cluster.<name>.`. What was negotiated is shown once it was; the lists
 * are what OpenSSL may come to, and anything else is not counted by name.
 */
import { defineStats } from "./stat-group.ts";

/** TLS 1.3's, and of TLS 1.2 what a configuration can allow. Names are OpenSSL's, which Envoy has too. */
const ciphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-RSA-AES256-SHA",
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
] as const;

const curves = ["X25519", "X25519MLKEM768", "P-256", "P-384", "P-521"] as const;

const signatures = [
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
  "rsa_pkcs1_sha1",
  "ecdsa_sha1",
] as const;

const versions = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;

const counters = [
  "ssl.connection_error",
  "ssl.fail_verify_cert_hash",
  "ssl.fail_verify_error",
  "ssl.fail_verify_no_cert",
  "ssl.fail_verify_san",
  "ssl.handshake",
  "ssl.no_certificate",
  "ssl.ocsp_staple_failed",
  "ssl.ocsp_staple_omitted",
  "ssl.ocsp_staple_requests",
  "ssl.ocsp_staple_responses",
  "ssl.session_reused",
] as const;

const onceCounted = [
  ...ciphers.map((name) => `ssl.ciphers.${name}` as const),
  ...curves.map((name) => `ssl.curves.${name}` as const),
  ...signatures.map((name) => `ssl.sigalgs.${name}` as const),
  ...versions.map((name) => `ssl.versions.${name}` as const),
  "ssl.was_key_usage_invalid",
] as const;

/** One layout for both sides; how the factory of its sockets is called is all that differs. */
export const tlsStats = defineStats({ counters, onceCounted });

/** `listener.<address>.server_ssl_socket_factory.`, `cluster.<name>.client_ssl_socket_factory.`: Envoy has all in both. */
export const tlsFactoryStats = defineStats({
  counters: [
    "downstream_context_secrets_not_ready",
    "ssl_context_update_by_sds",
    "upstream_context_secrets_not_ready",
  ],
});

/** `….ssl.certificate.<name>.` */
export const tlsCertificateStats = defineStats({ gauges: ["expiration_unix_time_seconds"] });
