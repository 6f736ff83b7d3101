/** What a handshake came to, read from the SSL when somebody asks, and kept: it may outlive the connection. */
import type { X509Certificate } from "node:crypto";
import {
  cipherName,
  cipherProtocolId,
  copyOf,
  sessionId,
  sslAlpn,
  sslCipher,
  sslGroupName,
  sslOwnCertificate,
  sslPeerChain,
  sslPeerLeaf,
  sslReused,
  sslServerName,
  sslSession,
  sslVersion,
} from "./openssl.ts";
import { certificateOf, certificatesOf } from "./pem.ts";
import { peerSignatureOf } from "./peer-signature.ts";
import type { StapleAnswer, TlsSession } from "./tls.ts";

/** `host_name`, the one kind of name that there is (RFC 6066 3). */
const hostName = 0;

/** Made when the handshake is done: cheap facts at once, certificates when they are asked for. */
export class SslSession implements TlsSession {
  readonly isPeerVerified: boolean;
  readonly version: TlsSession["version"];
  readonly cipher: string;
  readonly cipherId: number;
  readonly alpnProtocol: string;
  readonly isResumed: boolean;
  readonly staple: StapleAnswer;
  readonly #ssl: () => number | undefined;
  #serverName: string | undefined;
  #curve: string | undefined;
  #peerChain: readonly X509Certificate[] | undefined;
  #isPeerRead = false;

  /** `ssl`: undefined once it was freed. */
  constructor(
    connection: number,
    ssl: () => number | undefined,
    { isPeerVerified, staple }: Pick<TlsSession, "isPeerVerified" | "staple">,
  ) {
    this.#ssl = ssl;
    this.isPeerVerified = isPeerVerified;
    this.staple = staple;
    this.version = sslVersion(connection) as TlsSession["version"];
    const cipher = sslCipher(connection);
    this.cipher = cipher === 0 ? "" : cipherName(cipher);
    this.cipherId = cipher === 0 ? 0 : cipherProtocolId(cipher);
    this.isResumed = sslReused(connection) === 1;
    this.alpnProtocol = readAlpn(connection);
  }

  get curve(): string {
    this.#curve ??= this.#read((ssl) => curveNames.get(sslGroupName(ssl) ?? "")) ?? "";
    return this.#curve;
  }

  get peerSignature(): string {
    return this.#read(peerSignatureOf) ?? "";
  }

  get serverName(): string {
    this.#serverName ??= this.#read((ssl) => sslServerName(ssl, hostName)) ?? "";
    return this.#serverName;
  }

  get sessionId(): string {
    const id = this.#read((ssl) => {
      const session = sslSession(ssl);
      if (session === 0) return undefined;
      const length = new Uint8Array(4);
      const bytes = sessionId(session, length);
      return copyOf(bytes, new DataView(length.buffer).getUint32(0, true)).toString("hex");
    });
    return id ?? "";
  }

  get peerChain(): readonly X509Certificate[] | undefined {
    if (!this.#isPeerRead) this.#peerChain = this.#read(readPeerChain);
    this.#isPeerRead = true;
    return this.#peerChain;
  }

  get ownCertificate(): X509Certificate | undefined {
    return this.#read((ssl) => {
      const own = sslOwnCertificate(ssl);
      return own === 0 ? undefined : certificateOf(own);
    });
  }

  /** Before the SSL is freed: what logs of the end ask for. */
  keep(hasPeer: boolean): void {
    void this.serverName;
    void this.curve;
    if (hasPeer) void this.peerChain;
  }

  #read<T>(read: (ssl: number) => T | undefined | null): T | undefined {
    const ssl = this.#ssl();
    return ssl === undefined ? undefined : (read(ssl) ?? undefined);
  }
}

/** OpenSSL's names of groups by the names that Envoy counts them under. */
const curveNames: ReadonlyMap<string, string> = new Map([
  ["x25519", "X25519"],
  ["secp256r1", "P-256"],
  ["secp384r1", "P-384"],
  ["secp521r1", "P-521"],
  ["X25519MLKEM768", "X25519MLKEM768"],
  ["SecP256r1MLKEM768", "SecP256r1MLKEM768"],
  ["x448", "X448"],
]);

/** The pointer and the length come back in slots. */
function readAlpn(connection: number): string {
  const slot = new Uint8Array(8);
  const length = new Uint8Array(4);
  sslAlpn(connection, slot, length);
  const count = new DataView(length.buffer).getUint32(0, true);
  if (count === 0) return "";
  const address = Number(new DataView(slot.buffer).getBigUint64(0, true));
  return copyOf(address, count).toString("latin1");
}

/** A server's own list begins after the leaf, a client's with it (SSL_get_peer_cert_chain(3)). */
function readPeerChain(connection: number): readonly X509Certificate[] | undefined {
  const leaf = sslPeerLeaf(connection);
  if (leaf === 0) return undefined;
  const first = certificateOf(leaf);
  const rest = certificatesOf(sslPeerChain(connection));
  return [first, ...rest.filter(({ fingerprint256 }) => fingerprint256 !== first.fingerprint256)];
}
