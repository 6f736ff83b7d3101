/** The client's side of TLS on the epoll reactor, with the sessions that may be resumed. */
import type { ClientTlsConfig } from "../../config/tls-config.ts";
import { encodeProtocols } from "./alpn.ts";
import type { NativeObject } from "./native-object.ts";
import {
  clientMethod,
  ctxCtrl,
  ctxOnNewSession,
  sessionFree,
  sessionVersion,
  ssl,
  sslSetSession,
  versionNumbers,
} from "./openssl.ts";
import { type TrustDomains, trustDomainsOf } from "./spiffe.ts";
import type { SslCallbacks } from "./ssl-callbacks.ts";
import { newContext, useIdentity, useValidation } from "./ssl-context.ts";
import type { PeerJudge, TlsContext } from "./tls.ts";

export class SslClientContext implements TlsContext {
  readonly role = "client";
  readonly config: ClientTlsConfig;
  readonly judge: PeerJudge | undefined;
  readonly domains: TrustDomains | undefined;
  readonly callbacks: SslCallbacks;
  readonly native: NativeObject;
  readonly protocols: Buffer;
  /** Oldest first. */
  readonly #sessions: number[] = [];

  /** Throws a TlsError. */
  constructor(config: ClientTlsConfig, judge: PeerJudge | undefined, callbacks: SslCallbacks) {
    this.config = config;
    this.judge = judge;
    this.callbacks = callbacks;
    this.domains = trustDomainsOf(config.validation);
    this.protocols = encodeProtocols(config.alpnProtocols);
    const { parameters, keyLog, identity, validation, sessionKeysMax } = config;
    const options = config.allowsRenegotiation ? 0 : ssl.OP_NO_RENEGOTIATION;
    this.native = newContext({ method: clientMethod(), parameters, keyLog, options }, callbacks);
    try {
      const { pointer } = this.native;
      if (identity) useIdentity(pointer, identity);
      if (validation)
        useValidation(pointer, validation, { mode: ssl.VERIFY_PEER, asks: false, callbacks });
      if (sessionKeysMax === 0) return;
      const mode = ssl.SESSION_CACHE_CLIENT + ssl.SESSION_CACHE_NO_INTERNAL;
      ctxCtrl(pointer, ssl.CTRL_SET_SESSION_CACHE_MODE, mode, 0);
      ctxOnNewSession(pointer, callbacks.newSession);
    } catch (error) {
      this.native.free();
      throw error;
    }
  }

  /** The reference is ours from now on. */
  keepSession(session: number): boolean {
    if (this.native.isFreed) return false;
    this.#sessions.push(session);
    if (this.#sessions.length > this.config.sessionKeysMax)
      sessionFree(this.#sessions.shift() ?? 0);
    return true;
  }

  /** Offers the newest session to the server. One of TLS 1.3 is used once (RFC 8446 C.4). */
  resume(connection: number): void {
    const session = this.#sessions.at(-1);
    if (session === undefined) return;
    sslSetSession(connection, session);
    if (sessionVersion(session) < versionNumbers["TLSv1.3"]) return;
    this.#sessions.pop();
    sessionFree(session);
  }

  [Symbol.dispose](): void {
    for (const session of this.#sessions.splice(0)) sessionFree(session);
    this.native.free();
  }
}
