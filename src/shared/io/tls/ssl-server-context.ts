/** The server's side of TLS on the epoll reactor. */
import { X509Certificate } from "node:crypto";
import { messageOf } from "../../common/errors.ts";
import type { ServerTlsConfig, TlsIdentity } from "../../config/tls-config.ts";
import { encodeProtocols } from "./alpn.ts";
import type { NativeObject } from "./native-object.ts";
import {
  ctxCtrl,
  ctxCtrlBytes,
  ctxOnAlpn,
  ctxOnServerName,
  ctxOnStatus,
  ctxOnTicket,
  ctxSetSessionIdContext,
  ctxSetTickets,
  ctxSetTimeout,
  serverMethod,
  ssl,
  sslSetContext,
} from "./openssl.ts";
import { nextUpdateMsOf } from "./ocsp-response.ts";
import { findByName, hostNamesOf } from "./server-names.ts";
import { sessionContextOf } from "./session-context.ts";
import { type TrustDomains, trustDomainsOf } from "./spiffe.ts";
import type { SslCallbacks } from "./ssl-callbacks.ts";
import { newContext, type UsedIdentity, useIdentity, useValidation } from "./ssl-context.ts";
import { ticketCallback, ticketKeyBytes } from "./ticket-keys.ts";
import { type PeerJudge, type TlsContext, TlsError } from "./tls.ts";

/** Each resumption brings another one. */
const ticketsPerHandshake = 1;
/** Sessions without a ticket that one context remembers. */
const sessionCacheSize = 1_024;

export class SslServerContext implements TlsContext {
  readonly role = "server";
  readonly config: ServerTlsConfig;
  readonly judge: PeerJudge | undefined;
  readonly domains: TrustDomains | undefined;
  readonly callbacks: SslCallbacks;
  /** What a connection starts with: the certificates of whoever names none that is known. */
  readonly native: NativeObject;
  readonly #byName = new Map<string, Certificates>();
  readonly #all: NativeObject[] = [];
  readonly #staples: readonly UsedIdentity[];
  readonly #unregister: () => void;

  /** Throws a TlsError. */
  constructor(config: ServerTlsConfig, judge: PeerJudge | undefined, callbacks: SslCallbacks) {
    this.config = config;
    this.judge = judge;
    this.callbacks = callbacks;
    this.domains = trustDomainsOf(config.validation);
    encodeProtocols(config.alpnProtocols);
    if (config.ticketKeys.some((key) => key.length !== ticketKeyBytes))
      throw new TlsError(`a session ticket key must have ${ticketKeyBytes} bytes`);
    const ticket =
      config.ticketKeys.length > 1
        ? callbacks.registerTicket(ticketCallback(config.ticketKeys))
        : undefined;
    this.#unregister = () => ticket !== undefined && callbacks.unregisterTicket(ticket);
    const fresh = (): NativeObject => {
      const context = this.#newContext();
      if (ticket !== undefined) ctxOnTicket(context.pointer, ticket);
      this.#all.push(context);
      return context;
    };
    try {
      this.native = fresh();
      const certificates = new Certificates(this.native);
      const used = config.identities.map((identity) => certificates.fill(identity));
      this.#staples = used;
      this.#indexNames(used, fresh);
      if (this.#byName.size > 0) ctxOnServerName(this.native.pointer, callbacks.serverName);
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Called while the client's hello is read: puts the certificates in that its server name asks for. */
  selectCertificate(connection: number, serverName: string | undefined): void {
    const found = serverName && findByName(this.#byName, serverName);
    if (found) sslSetContext(connection, found.native.pointer);
  }

  /** Of the certificate that the client is shown, found by its leaf (Envoy: `ocspStapleAction`). */
  stapleOf(fingerprintOf: () => string, nowMs: number): Uint8Array | "none" | "refused" {
    const { ocspStaplePolicy: policy } = this.config;
    const hasAny = this.#staples.some(({ staple }) => staple !== undefined);
    const fingerprint = hasAny ? fingerprintOf() : "";
    const staple = this.#staples.find(({ leaf }) => leaf.fingerprint256 === fingerprint)?.staple;
    const isValid = staple && (nextUpdateMsOf(Buffer.from(staple)) ?? 0) > nowMs;
    if (isValid) return staple;
    const isOwed = policy === "must" || (policy === "strict" && staple !== undefined);
    return isOwed ? "refused" : "none";
  }

  [Symbol.dispose](): void {
    for (const context of this.#all.splice(0)) context.free();
    this.#unregister();
  }

  #newContext(): NativeObject {
    const { config, callbacks } = this;
    const { parameters, keyLog, validation, requiresClientCertificate } = config;
    const options =
      ssl.OP_NO_RENEGOTIATION +
      (config.prefersClientCiphers ? 0 : ssl.OP_CIPHER_SERVER_PREFERENCE) +
      (config.ticketKeys.length > 0 ? 0 : ssl.OP_NO_TICKET);
    const context = newContext({ method: serverMethod(), parameters, keyLog, options }, callbacks);
    const { pointer } = context;
    this.#setResumption(pointer);
    if (config.alpnProtocols.length > 0) ctxOnAlpn(pointer, callbacks.alpn);
    ctxOnStatus(pointer, callbacks.status);
    const mode =
      ssl.VERIFY_PEER + (requiresClientCertificate ? ssl.VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    if (validation ?? requiresClientCertificate)
      useValidation(context.pointer, validation ?? anyCertificate, { mode, asks: true, callbacks });
    return context;
  }

  #setResumption(pointer: number): void {
    const { ticketKeys, resumesBySessionId, sessionTimeoutS } = this.config;
    const [first] = ticketKeys;
    if (first && ticketKeys.length === 1)
      ctxCtrlBytes(pointer, ssl.CTRL_SET_TICKET_KEYS, first.length, first);
    const cache = resumesBySessionId ? ssl.SESSION_CACHE_SERVER : ssl.SESSION_CACHE_OFF;
    ctxCtrl(pointer, ssl.CTRL_SET_SESSION_CACHE_MODE, cache, 0);
    ctxCtrl(pointer, ssl.CTRL_SET_SESSION_CACHE_SIZE, sessionCacheSize, 0);
    ctxSetTickets(pointer, first || resumesBySessionId ? ticketsPerHandshake : 0);
    if (sessionTimeoutS !== undefined) ctxSetTimeout(pointer, sessionTimeoutS);
    // A session is good for what it was made for: one that asked for no certificate must not open a door that does.
    const context = sessionContextOf(this.config);
    ctxSetSessionIdContext(pointer, context, context.length);
  }

  /** Only where the server name makes a difference: each name has the certificates that carry it. */
  #indexNames(used: readonly UsedIdentity[], fresh: () => NativeObject): void {
    const kinds = new Set(used.map(({ leaf }) => leaf.publicKey.asymmetricKeyType));
    if (used.length <= kinds.size && used.length < 2) return;
    const names = used.map(({ leaf }) => hostNamesOf(leaf));
    if (new Set(names.map(String)).size < 2 && used.length === kinds.size) return;
    const byIdentities = new Map<string, Certificates>();
    for (const name of new Set(names.flat())) {
      const carrying = this.config.identities.filter((_, index) => names[index]?.includes(name));
      const key = carrying.map((identity) => this.config.identities.indexOf(identity)).join();
      const certificates = byIdentities.get(key) ?? new Certificates(fresh(), carrying);
      byIdentities.set(key, certificates);
      this.#byName.set(name, certificates);
    }
  }
}

/** `require_client_certificate` without anything to hold it against: any will do. */
const anyCertificate = {
  authoritiesPem: undefined,
  crlPem: undefined,
  onlyVerifiesLeafCrl: false,
  certificateHashes: [],
  spkiHashes: [],
  subjectAltNames: [],
  acceptsUntrusted: false,
  allowsExpired: false,
  maxDepth: undefined,
} as const;

/** One context's: the first of each kind of key. */
class Certificates {
  readonly native: NativeObject;
  readonly #kinds = new Set<string | undefined>();

  constructor(native: NativeObject, identities: readonly TlsIdentity[] = []) {
    this.native = native;
    for (const identity of identities) this.fill(identity);
  }

  fill(identity: TlsIdentity): UsedIdentity {
    const leaf = readLeaf(identity);
    const kind = leaf.publicKey.asymmetricKeyType;
    if (this.#kinds.has(kind)) return { leaf, staple: identity.ocspStaple };
    this.#kinds.add(kind);
    return useIdentity(this.native.pointer, identity);
  }
}

function readLeaf({ chainPem }: TlsIdentity): X509Certificate {
  try {
    return new X509Certificate(chainPem);
  } catch (error) {
    const reason = `Failed to load certificate chain: ${messageOf(error)}`;
    throw new TlsError(reason, { cause: error });
  }
}
