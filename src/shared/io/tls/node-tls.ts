/**
 * TLS on the node reactor: `node:tls` behind the same contract. It lacks what Node gives no way to: more than one ticket
 * key, stapled responses, revocation of the leaf alone, and a handshake that goes on where no protocol is common.
 */
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import type net from "node:net";
import {
  connect,
  createSecureContext,
  type DetailedPeerCertificate,
  getCiphers,
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
import { chainText, missingCertificateText, refusalText } from "./failure-text.ts";
import { findByName, hostNamesOf } from "./server-names.ts";
import { sessionContextOf } from "./session-context.ts";
import { type TrustDomains, trustDomainsOf } from "./spiffe.ts";
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
  readonly domains: TrustDomains | undefined;
  readonly fallback: SecureContext;
  readonly keyLog: KeyLog | undefined;
  readonly #byName = new Map<string, SecureContext>();

  constructor(config: ServerTlsConfig, judge: PeerJudge | undefined) {
    this.config = config;
    this.judge = judge;
    this.domains = trustDomainsOf(config.validation);
    const [newestKey] = config.ticketKeys;
    const rest: SecureContextOptions = {
      honorCipherOrder: !config.prefersClientCiphers,
      sessionIdContext: sessionContextOf(config).toString("hex", 0, 16),
      ...(newestKey && { ticketKeys: nodeTicketKey(newestKey) }),
      ...(config.sessionTimeoutS !== undefined && { sessionTimeout: config.sessionTimeoutS }),
    };
    const shownFirst = oneOfEachKind(config.identities);
    this.fallback = newContext(config, shownFirst, rest);
    this.keyLog = config.keyLog && new KeyLog(config.keyLog);
    if (config.identities.length > 1) this.#indexNames(shownFirst, rest);
  }

  /** Undefined: the one that it began with. */
  find(serverName: string): SecureContext | undefined {
    return findByName(this.#byName, serverName);
  }

  [Symbol.dispose](): void {
    this.keyLog?.[Symbol.dispose]();
  }

  /** Of a context that is chosen by name Node uses one certificate alone: where the first will do, it stays. */
  #indexNames(shownFirst: readonly TlsIdentity[], rest: SecureContextOptions): void {
    const { identities } = this.config;
    const names = identities.map(({ chainPem }) => hostNamesOf(new X509Certificate(chainPem)));
    for (const name of new Set(names.flat())) {
      const carrying = oneOfEachKind(identities.filter((_, i) => names[i]?.includes(name)));
      if (carrying.every((identity) => shownFirst.includes(identity)) && carrying.length > 1)
        continue;
      this.#byName.set(name, newContext(this.config, carrying, rest));
    }
  }
}

/** Node does not say whose certificate a server showed when it resumes: so it is remembered. */
interface KeptSession {
  readonly bytes: Buffer;
  readonly isPeerVerified: boolean;
}

export class NodeClientContext implements TlsContext {
  readonly role = "client";
  readonly config: ClientTlsConfig;
  readonly judge: PeerJudge | undefined;
  readonly domains: TrustDomains | undefined;
  readonly secure: SecureContext;
  readonly keyLog: KeyLog | undefined;
  /** Oldest first. */
  readonly sessions: KeptSession[] = [];

  constructor(config: ClientTlsConfig, judge: PeerJudge | undefined) {
    this.config = config;
    this.judge = judge;
    this.domains = trustDomainsOf(config.validation);
    const { identity } = config;
    this.secure = newContext(config, identity ? [identity] : [], {});
    this.keyLog = config.keyLog && new KeyLog(config.keyLog);
  }

  keepSession(session: KeptSession): void {
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
  carrier: { readonly localAddress: SocketAddress; readonly remoteAddress: SocketAddress },
  onDone: (outcome: TlsSession | TlsFailure) => void,
): TLSSocket {
  const { context } = start;
  if (!(context instanceof NodeServerContext || context instanceof NodeClientContext))
    throw new TypeError("bug: the context is of another reactor");
  const kept = context.role === "client" ? context.sessions.pop() : undefined;
  const secured =
    context.role === "server"
      ? secureServer(raw, context)
      : secureClient(raw, context, { ...start, session: kept?.bytes });
  if (context.role === "server" || !context.config.allowsRenegotiation)
    secured.disableRenegotiation();
  // Undocumented: how it tells of a broken record or another handshake to whoever made it by hand.
  secured.on("_tlsError", (error: Error) => secured.destroy(error));
  const { keyLog } = context;
  if (keyLog)
    secured.on("keylog", (line: Buffer) =>
      keyLog.write(line.toString("latin1").trimEnd(), carrier.localAddress, carrier.remoteAddress),
    );
  // A TLSSocket says `secure` on both sides; `secureConnect` is `tls.connect`'s, after its own checks.
  secured.once("secure", () => {
    const outcome = outcomeOf(secured, context, kept);
    if (context.role === "client" && !("reason" in outcome))
      keepSessions(secured, context, outcome);
    onDone(outcome);
  });
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

function secureClient(
  raw: net.Socket,
  { config, secure: secureContext }: NodeClientContext,
  start: Omit<TlsStart, "context"> & { readonly session: Buffer | undefined },
): TLSSocket {
  const { session } = start;
  return connect({
    socket: raw,
    secureContext,
    servername: start.serverName ?? config.serverName,
    ALPNProtocols: [...(start.alpnProtocols ?? config.alpnProtocols)],
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(session && { session }),
  });
}

function keepSessions(
  secured: TLSSocket,
  context: NodeClientContext,
  { isPeerVerified }: TlsSession,
): void {
  if (context.config.sessionKeysMax === 0) return;
  // Of TLS 1.2 it came within the handshake.
  const made = secured.getProtocol() === "TLSv1.3" ? undefined : secured.getSession();
  if (made) context.keepSession({ bytes: made, isPeerVerified });
  secured.on("session", (bytes: Buffer) => context.keepSession({ bytes, isPeerVerified }));
}

/** Undocumented, and as old as the class: what OpenSSL says of the peer's chain. */
interface Verified {
  readonly ssl: { verifyError(): (Error & { code?: string }) | null };
}

function outcomeOf(
  secured: TLSSocket,
  context: NodeTlsContext,
  resumedFrom: KeptSession | undefined,
): TlsSession | TlsFailure {
  const { validation } = context.config;
  const chain = chainOf(secured);
  const requires = context.role === "server" && context.config.requiresClientCertificate;
  if (!chain && requires) return { kind: "noCertificate", reason: missingCertificateText() };
  const chainError = chain && validation && chainErrorOf(secured, chain, validation);
  const foreign = chain && context.domains?.refusalOf(chain);
  const refusal = chain?.[0] && context.judge?.(chain[0]);
  if (!(validation?.acceptsUntrusted ?? false)) {
    // Node does not say where in the chain.
    if (chainError) return { kind: "certificate", reason: chainText(chainError, 0) };
    if (foreign !== undefined) return { kind: "certificate", reason: refusalText(foreign) };
    if (refusal) return { kind: refusal.kind, reason: refusalText(refusal.reason) };
  }
  const verifies = context.judge !== undefined || validation?.authoritiesPem !== undefined;
  const isVerified = verifies && chain !== undefined && !(chainError ?? foreign ?? refusal);
  const wasVerified = secured.isSessionReused() && resumedFrom?.isPeerVerified === true;
  return sessionOf(secured, chain, isVerified || wasVerified);
}

function chainErrorOf(
  secured: TLSSocket,
  chain: readonly X509Certificate[],
  { authoritiesPem, allowsExpired, maxDepth = 100 }: PeerValidation,
): string | undefined {
  if (!authoritiesPem) return undefined;
  const error = (secured as unknown as Verified).ssl.verifyError();
  // The leaf is not counted, and with one CA above it no chain is too long.
  if (!error)
    return chain.length - 1 > Math.max(1, maxDepth) ? "certificate chain too long" : undefined;
  const isDate = error.code === "CERT_HAS_EXPIRED" || error.code === "CERT_NOT_YET_VALID";
  return isDate && allowsExpired ? undefined : error.message;
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
  // A server is told nothing of it.
  const key = secured.getEphemeralKeyInfo() as { readonly name?: string } | null;
  return {
    version: (secured.getProtocol() ?? "TLSv1.2") as TlsSession["version"],
    cipher: cipher.name,
    cipherId: 0,
    peerSignature: "",
    staple: "notAsked",
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

/** OpenSSL holds one certificate for each kind of key. */
function oneOfEachKind(identities: readonly TlsIdentity[]): readonly TlsIdentity[] {
  const kinds = new Map<string | undefined, TlsIdentity>();
  for (const identity of identities) {
    const kind = new X509Certificate(identity.chainPem).publicKey.asymmetricKeyType;
    if (!kinds.has(kind)) kinds.set(kind, identity);
  }
  return [...kinds.values()];
}

/** Throws a TlsError. */
function newContext(
  { parameters, validation }: ServerTlsConfig | ClientTlsConfig,
  identities: readonly TlsIdentity[],
  rest: SecureContextOptions,
): SecureContext {
  const { minVersion, maxVersion, cipherSuites, ecdhCurves, signatureAlgorithms } = parameters;
  const bytes = (pem: Uint8Array): Buffer => Buffer.from(pem);
  judgeSuites(cipherSuites);
  for (const identity of identities) judgeKey(identity);
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

/** The modern ones that are always there hide a list that holds nothing else. */
function judgeSuites(cipherSuites: string): void {
  const known = new Set(getCiphers());
  const isEmpty = !cipherSuites.split(":").some((suite) => known.has(suite.toLowerCase()));
  if (cipherSuites !== "" && isEmpty)
    throw new TlsError(`Failed to initialize cipher suites ${cipherSuites}`);
}

/** Node looks at it only among keys of one kind. */
function judgeKey({ chainPem, keyPem, passphrase }: TlsIdentity): void {
  const key = { key: Buffer.from(keyPem), ...(passphrase !== undefined && { passphrase }) };
  try {
    if (new X509Certificate(chainPem).checkPrivateKey(createPrivateKey(key))) return;
  } catch (error) {
    throw new TlsError(`Failed to load private key: ${messageOf(error)}`, { cause: error });
  }
  throw new TlsError("Failed to load private key: key values mismatch");
}

/** Node's have another length: what we have is stretched to it, alike everywhere. */
function nodeTicketKey(key: Uint8Array): Buffer {
  return createHash("sha512").update(key).digest().subarray(0, nodeTicketKeyBytes);
}
