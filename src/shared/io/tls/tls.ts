/**
 * TLS as the rest of the house sees it. Which library speaks it is the reactor's business: OpenSSL through FFI on
 * `epoll`, `node:tls` on `node`.
 */
import type { X509Certificate } from "node:crypto";

/** What connections of one configuration share. Disposing: no new ones; those that there are live on. */
export interface TlsContext extends Disposable {
  readonly role: "client" | "server";
}

/** A configuration that OpenSSL does not take: the message is for people. */
export class TlsError extends Error {
  override readonly name = "TlsError";
}

/**
 * Whether a peer's leaf is one that was asked for: its names and hashes. The chain above it is OpenSSL's to verify.
 * Must not throw; undefined: it is.
 */
export type PeerJudge = (leaf: X509Certificate) => PeerRefusal | undefined;

export interface PeerRefusal {
  readonly kind: "hash" | "name";
  readonly reason: string;
}

export interface TlsFailure {
  readonly kind:
    /** The peer was to show a certificate, and has none. */
    | "noCertificate"
    /** Its chain, its dates, or a revocation. */
    | "certificate"
    /** As `PeerRefusal`. */
    | "hash"
    | "name"
    /** It asked for an OCSP response that is owed and not there. */
    | "staple"
    /** The peer went away before the end of the handshake. */
    | "closed"
    /** Whatever else OpenSSL names. */
    | "protocol";
  readonly reason: string;
}

export type StapleAnswer = "notAsked" | "given" | "none";

/** What a handshake came to. The fields are read when they are asked for. */
export interface TlsSession {
  readonly version: "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3";
  /** OpenSSL's name: `ECDHE-RSA-AES128-GCM-SHA256`, `TLS_AES_128_GCM_SHA256`. */
  readonly cipher: string;
  /** IANA's number of it. */
  readonly cipherId: number;
  /** Of the key exchange: `X25519`, `P-256`; empty where there was none. */
  readonly curve: string;
  /** What the peer signed by, `ecdsa_secp256r1_sha256`; empty: nothing, or it is not known. */
  readonly peerSignature: string;
  /** What came of the client's wish for an OCSP response. */
  readonly staple: StapleAnswer;
  /** Empty: none was agreed on. */
  readonly alpnProtocol: string;
  /** What the client asked for; empty: it did not say. */
  readonly serverName: string;
  readonly isResumed: boolean;
  /** Hex; empty: none. */
  readonly sessionId: string;
  /** The peer's chain, the leaf first; undefined: it showed none. */
  readonly peerChain: readonly X509Certificate[] | undefined;
  /** It showed one that was verified (a chain up to a CA that is trusted, or a name or hash that was asked for). */
  readonly isPeerVerified: boolean;
  readonly ownCertificate: X509Certificate | undefined;
}
