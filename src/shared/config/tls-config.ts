/**
 * TLS as the data path wants it: certificates and keys are bytes, no file is left to be read and no secret to be
 * fetched. Made on the main thread; every rotation is another one of these.
 */
import type { StringMatcher } from "./matchers.ts";

export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";

/** As OpenSSL wants it. */
export interface TlsParameterConfig {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** Of TLS 1.2 and below. */
  readonly cipherSuites: string;
  /** Empty: OpenSSL's own. */
  readonly ecdhCurves: string;
  readonly signatureAlgorithms: string;
}

/** A certificate with its chain, the leaf first, and the key of the leaf. */
export interface TlsIdentity {
  readonly chainPem: Uint8Array;
  readonly keyPem: Uint8Array;
  readonly passphrase: string | undefined;
  /** DER of an OCSP response (RFC 6960); undefined: nothing is stapled. */
  readonly ocspStaple: Uint8Array | undefined;
}

export interface SubjectAltNameMatcher {
  readonly type: "any" | "email" | "dns" | "uri" | "ipAddress";
  readonly matcher: StringMatcher;
}

/** `CertificateValidationContext`: what a peer's certificate is held against. */
export interface PeerValidation {
  /** Undefined: no chain is verified. */
  readonly authoritiesPem: Uint8Array | undefined;
  readonly crlPem: Uint8Array | undefined;
  readonly onlyVerifiesLeafCrl: boolean;
  /** SHA-256 of the certificate: hex, lower case. */
  readonly certificateHashes: readonly string[];
  /** SHA-256 of its public key: base64. */
  readonly spkiHashes: readonly string[];
  readonly subjectAltNames: readonly SubjectAltNameMatcher[];
  readonly acceptsUntrusted: boolean;
  readonly allowsExpired: boolean;
  /** Certificates above the leaf, the root among them (`max_verify_depth`); undefined: OpenSSL's 100. */
  readonly maxDepth: number | undefined;
  /** Of the SPIFFE validator: which of `authoritiesPem` vouch for which trust domain. Absent: another one is at work. */
  readonly trustDomains?: readonly TrustDomain[] | undefined;
}

export interface TrustDomain {
  readonly name: string;
  readonly authoritiesPem: Uint8Array;
}

/** Where the secrets of connections are written, for Wireshark (`SSLKEYLOGFILE`'s format). */
export interface TlsKeyLogConfig {
  readonly path: string;
  /** Of addresses: empty means all. */
  readonly localRanges: readonly { readonly ip: string; readonly prefixLength: number }[];
  readonly remoteRanges: readonly { readonly ip: string; readonly prefixLength: number }[];
}

/** Towards clients. */
export interface ServerTlsConfig {
  /** Chosen by the client's server name, then by what it can verify; else the first. At least one. */
  readonly identities: readonly TlsIdentity[];
  /** Undefined: clients are not asked for a certificate. */
  readonly validation: PeerValidation | undefined;
  readonly requiresClientCertificate: boolean;
  /** In the order in which we like them; empty: nothing is negotiated. */
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameterConfig;
  /** Of 80 bytes each. The first encrypts, all decrypt. Empty: there are no stateless tickets. */
  readonly ticketKeys: readonly Uint8Array[];
  /** Undefined: OpenSSL's own. */
  readonly sessionTimeoutS: number | undefined;
  readonly resumesBySessionId: boolean;
  readonly ocspStaplePolicy: "lenient" | "strict" | "must";
  readonly prefersClientCiphers: boolean;
  readonly keyLog: TlsKeyLogConfig | undefined;
}

/** Towards hosts. */
export interface ClientTlsConfig {
  readonly identity: TlsIdentity | undefined;
  readonly validation: PeerValidation | undefined;
  /** Empty: none is sent. */
  readonly serverName: string;
  readonly alpnProtocols: readonly string[];
  readonly parameters: TlsParameterConfig;
  readonly allowsRenegotiation: boolean;
  /** Sessions that are kept to be resumed. */
  readonly sessionKeysMax: number;
  readonly keyLog: TlsKeyLogConfig | undefined;
}
