/**
 * TLS on the node reactor: `node:tls` behind the same contract. It lacks what Node gives no way to: more than one ticket
 * key, stapled responses, revocation of the leaf alone, and a handshake that goes on where no protocol is common.
 */
import { createHash, X509Certificate } from "node:crypto";
import type net from "node:net";
import {
  connect,
  createSecureContext,
  type DetailedPeerCertificate,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
} from "node:tls";
import type { SocketAddress } from "../../common/address.ts";
import { messageOf } from "../../common/errors.ts";
import type {
  ClientTlsConfig,
  PeerValidation,
  ServerTlsConfig,
  TlsIdentity,
} from "../../config/tls-config.ts";
import type { TlsStart } from "../reactor.ts";
import { KeyLog } from "./key-log.ts";
import { findByName, hostNamesOf } from "./server-names.ts";
import {
  type PeerJudge,
  type TlsContext,
  TlsError,
  type TlsFailure,
  type TlsSession,
} from "./tls.ts";

/** Lets TLS 1.3 be spoken: Node takes it away where none of its suites is named. */
const modernSuites = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
const nodeTicketKeyBytes = 48;

export class NodeServerContext implements TlsContext {
  readonly role = "server";
  readonly config: ServerTlsConfig;
  readonly judge: PeerJudge | undefined;
  readonly fallback: SecureContext;
  readonly keyLog: KeyLog | undefined;
  readonly #byName = new Map<string, SecureContext>();

  constructor(config: ServerTlsConfig, judge: PeerJudge | undefined) {
    this.config = config;
    this.judge = judge;
    const [newestKey] = config.ticketKeys;
    const rest: SecureContextOptions = {
      honorCipherOrder: !config.prefersClientCiphers,
      ...(newestKey && { ticketKeys: nodeTicketKey(newestKey) }),
      ...(config.sessionTimeoutS !== undefined && { sessionTimeout: config.sessionTimeoutS }),
    };
    this.fallback = newContext(config, config.identities, rest);
    this.keyLog = config.keyLog && new KeyLog(config.keyLog);
    if (config.identities.length > 1) this.#indexNames(rest);
  }

  find(serverName: string): SecureContext {
    return findByName(this.#byName, serverName) ?? this.fallback;
  }

  [Symbol.dispose](): void {
    this.keyLog?.[Symbol.dispose]();
  }

  #indexNames(rest: SecureContextOptions): void {
    const { identities } = this.config;
    const names = identities.map(({ chainPem }) => hostNamesOf(new X509Certificate(chainPem)));
    for (const name of new Set(names.flat())) {
      const carrying = identities.filter((_, index) => names[index]?.includes(name));
      this.#byName.set(name, newContext(this.config, carrying, rest));
    }
  }
}

export class NodeClientContext implements TlsContext {
  readonly role = "client";
  readonly config: ClientTlsConfig;
  readonly judge: PeerJudge | undefined;
  readonly secure: SecureContext;
  readonly keyLog: KeyLog | undefined;
  /** Oldest first. */
  readonly sessions: Buffer[] = [];

  constructor(config: ClientTlsConfig, judge: PeerJudge | undefined) {
    this.config = config;
    this.judge = judge;
    const { identity } = config;
    this.secure = newContext(config, identity ? [identity] : [], {});
    this.keyLog = config.keyLog && new KeyLog(config.keyLog);
  }

  keepSession(session: Buffer): void {
    this.sessions.push(session);
    if (this.sessions.length > this.config.sessionKeysMax) this.sessions.shift();
  }

  [Symbol.dispose](): void {
    this.keyLog?.[Symbol.dispose]();
  }
}

export type NodeTlsContext = NodeServerContext | NodeClientContext;

/** A socket whose handshake is under way: `onDone` is called once, unless the socket closes first. */
export function secure(
  raw: net.Socket,
  start: TlsStart,
  addresses: { readonly local: SocketAddress; readonly remote: SocketAddress },
  onDone: (outcome: TlsSession | TlsFailure) => void,
): TLSSocket {
  const { context } = start;
  if (!(context instanceof NodeServerContext || context instanceof NodeClientContext))
    throw new TypeError("bug: the context is of another reactor");
  const secured =
    context.role === "server" ? secureServer(raw, context) : secureClient(raw, context, start);
  const { keyLog } = context;
  if (keyLog)
    secured.on("keylog", (line: Buffer) =>
      keyLog.write(line.toString("latin1").trimEnd(), addresses.local, addresses.remote),
    );
  // A TLSSocket says `secure` on both sides; `secureConnect` is `tls.connect`'s, after its own checks.
  secured.once("secure", () => onDone(outcomeOf(secured, context)));
  return secured;
}

function secureServer(raw: net.Socket, context: NodeServerContext): TLSSocket {
  const { alpnProtocols, validation, requiresClientCertificate } = context.config;
  return new TLSSocket(raw, {
    isServer: true,
    secureContext: context.fallback,
    SNICallback: (name, done) => done(null, context.find(name)),
    requestCert: validation !== undefined || requiresClientCertificate,
    rejectUnauthorized: false,
    ...(alpnProtocols.length > 0 && {
      ALPNCallback: ({ protocols }: { protocols: string[] }) =>
        alpnProtocols.find((name) => protocols.includes(name)),
    }),
  });
}

function secureClient(raw: net.Socket, context: NodeClientContext, start: TlsStart): TLSSocket {
  const { config, secure: secureContext, sessions } = context;
  const session = sessions.pop();
  const secured = connect({
    socket: raw,
    secureContext,
    servername: start.serverName ?? config.serverName,
    ALPNProtocols: [...(start.alpnProtocols ?? config.alpnProtocols)],
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(session && { session }),
  });
  if (config.sessionKeysMax > 0) secured.on("session", (made) => context.keepSession(made));
  return secured;
}

/** Undocumented, and as old as the class: what OpenSSL says of the peer's chain. */
interface Verified {
  readonly ssl: { verifyError(): (Error & { code?: string }) | null };
}

function outcomeOf(secured: TLSSocket, context: NodeTlsContext): TlsSession | TlsFailure {
  const { validation } = context.config;
  const chain = chainOf(secured);
  const requires = context.role === "server" && context.config.requiresClientCertificate;
  if (!chain && requires)
    return { kind: "noCertificate", reason: "peer did not return a certificate" };
  const chainError = chain && validation && chainErrorOf(secured, validation);
  const refusal = chain?.[0] && context.judge?.(chain[0]);
  if (!(validation?.acceptsUntrusted ?? false)) {
    const words = "CERTIFICATE_VERIFY_FAILED:verify cert failed: ";
    if (chainError) return { kind: "certificate", reason: words + chainError };
    if (refusal) return { kind: refusal.kind, reason: words + refusal.reason };
  }
  const verifies = context.judge !== undefined || validation?.authoritiesPem !== undefined;
  return sessionOf(secured, chain, verifies && chain !== undefined && !chainError && !refusal);
}

function chainErrorOf(secured: TLSSocket, validation: PeerValidation): string | undefined {
  if (!validation.authoritiesPem) return undefined;
  const error = (secured as unknown as Verified).ssl.verifyError();
  if (!error) return undefined;
  const isDate = error.code === "CERT_HAS_EXPIRED" || error.code === "CERT_NOT_YET_VALID";
  return isDate && validation.allowsExpired ? undefined : error.message;
}

function chainOf(secured: TLSSocket): readonly X509Certificate[] | undefined {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = secured.getPeerCertificate(true);
  // A root names itself as its issuer.
  for (let last = ""; next?.raw && next.fingerprint256 !== last; next = next.issuerCertificate) {
    chain.push(new X509Certificate(next.raw));
    last = next.fingerprint256;
  }
  return chain.length > 0 ? chain : undefined;
}

function sessionOf(
  secured: TLSSocket,
  peerChain: readonly X509Certificate[] | undefined,
  isPeerVerified: boolean,
): TlsSession {
  const cipher = secured.getCipher();
  const key = secured.getEphemeralKeyInfo() as { readonly name?: string } | null;
  return {
    version: (secured.getProtocol() ?? "TLSv1.2") as TlsSession["version"],
    cipher: cipher.name,
    cipherId: 0,
    curve: key?.name === "prime256v1" ? "P-256" : (key?.name ?? ""),
    alpnProtocol: typeof secured.alpnProtocol === "string" ? secured.alpnProtocol : "",
    serverName: (secured as { readonly servername?: string | false }).servername || "",
    isResumed: secured.isSessionReused(),
    sessionId: "",
    peerChain,
    isPeerVerified,
    get ownCertificate() {
      return secured.getX509Certificate();
    },
  };
}

/** Throws a TlsError. */
function newContext(
  { parameters, validation }: ServerTlsConfig | ClientTlsConfig,
  identities: readonly TlsIdentity[],
  rest: SecureContextOptions,
): SecureContext {
  const { minVersion, maxVersion, cipherSuites, ecdhCurves, signatureAlgorithms } = parameters;
  const bytes = (pem: Uint8Array): Buffer => Buffer.from(pem);
  try {
    return createSecureContext({
      ...rest,
      minVersion,
      maxVersion,
      ciphers: `${modernSuites}:${cipherSuites}`,
      allowPartialTrustChain: true,
      ca: validation?.authoritiesPem ? bytes(validation.authoritiesPem) : [],
      cert: identities.map(({ chainPem }) => bytes(chainPem)),
      key: identities.map(({ keyPem, passphrase }) => ({
        pem: bytes(keyPem),
        ...(passphrase !== undefined && { passphrase }),
      })),
      ...(ecdhCurves !== "" && { ecdhCurve: ecdhCurves }),
      ...(signatureAlgorithms !== "" && { sigalgs: signatureAlgorithms }),
      ...(validation?.crlPem && { crl: bytes(validation.crlPem) }),
    });
  } catch (error) {
    throw new TlsError(`TLS context: ${messageOf(error)}`, { cause: error });
  }
}

/** Node's have another length: what we have is stretched to it, alike everywhere. */
function nodeTicketKey(key: Uint8Array): Buffer {
  return createHash("sha512").update(key).digest().subarray(0, nodeTicketKeyBytes);
}
