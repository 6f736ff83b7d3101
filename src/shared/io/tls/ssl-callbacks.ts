/**
 * What OpenSSL asks while a handshake runs, for all contexts of one reactor: registered once, found by the SSL's address.
 *
 * What a newcomer would get wrong: these run inside OpenSSL's C frames. An exception must not pass through them, so each
 * answers with a failure that was chosen beforehand, and what was thrown is told as a bug.
 */
import koffi from "koffi";
import {
  type AlpnQuestion,
  onAlpn,
  onKeyLog,
  onNewSession,
  onServerName,
  onStatus,
  onTicket,
  onVerify,
  ssl as numbers,
  storeContextIndex,
  storeContextSsl,
  type TicketQuestion,
  viewOf,
} from "./openssl.ts";

/** One connection, as far as OpenSSL asks about it. */
export interface Asked {
  /** 1: the chain is taken. `storeContext` holds it. */
  verify(storeContext: number): number;
  /** Which of the protocols offered; undefined: none. Into the list: where the name begins, and its length. */
  selectAlpn(offered: Buffer): { readonly start: number; readonly length: number } | undefined;
  selectCertificate(): void;
  /** Of an OCSP response that the client asks for. */
  staple(): "given" | "none" | "refused";
  keyLog(line: string): void;
  /** True: it keeps the session, and frees it. */
  keepSession(session: number): boolean;
}

const stapleAnswers = {
  given: numbers.TLSEXT_ERR_OK,
  none: numbers.TLSEXT_ERR_NOACK,
  refused: numbers.TLSEXT_ERR_ALERT_FATAL,
} as const;

export type TicketCallback = (question: TicketQuestion) => number;

export class SslCallbacks implements Disposable {
  readonly #asked = new Map<number, Asked>();
  readonly #onBug: (error: unknown) => void;
  readonly #storeIndex = storeContextIndex();
  readonly #tickets: ReturnType<typeof onTicket>[] = [];
  readonly verify;
  readonly alpn;
  readonly serverName;
  readonly status;
  readonly keyLog;
  readonly newSession;

  constructor(onBug: (error: unknown) => void) {
    this.#onBug = onBug;
    this.verify = onVerify((store) =>
      this.#guarded(0, () => this.#ofStore(store)?.verify(store) ?? 0),
    );
    this.alpn = onAlpn((ssl, question) =>
      this.#guarded(numbers.TLSEXT_ERR_ALERT_FATAL, () => this.#selectAlpn(ssl, question)),
    );
    this.serverName = onServerName((ssl) =>
      this.#guarded(numbers.TLSEXT_ERR_ALERT_FATAL, () => {
        this.#asked.get(ssl)?.selectCertificate();
        return numbers.TLSEXT_ERR_OK;
      }),
    );
    this.status = onStatus((ssl) =>
      this.#guarded(
        numbers.TLSEXT_ERR_ALERT_FATAL,
        () => stapleAnswers[this.#asked.get(ssl)?.staple() ?? "none"],
      ),
    );
    this.keyLog = onKeyLog((ssl, line) =>
      this.#guarded(undefined, () => this.#asked.get(ssl)?.keyLog(line)),
    );
    this.newSession = onNewSession((ssl, session) =>
      this.#guarded(0, () => (this.#asked.get(ssl)?.keepSession(session) === true ? 1 : 0)),
    );
  }

  /** Connections whose handshake is under way, and later ones that may still be asked about. */
  add(ssl: number, asked: Asked): void {
    this.#asked.set(ssl, asked);
  }

  remove(ssl: number): void {
    this.#asked.delete(ssl);
  }

  /** Connections that are not freed. */
  get size(): number {
    return this.#asked.size;
  }

  /** One for each context that has more than one key. */
  registerTicket(body: TicketCallback): ReturnType<typeof onTicket> {
    const registered = onTicket((question) => this.#guarded(-1, () => body(question)));
    this.#tickets.push(registered);
    return registered;
  }

  unregisterTicket(registered: ReturnType<typeof onTicket>): void {
    const index = this.#tickets.indexOf(registered);
    if (index < 0) return;
    this.#tickets.splice(index, 1);
    koffi.unregister(registered);
  }

  [Symbol.dispose](): void {
    const { verify, alpn, serverName, status, keyLog, newSession } = this;
    const all = [verify, alpn, serverName, status, keyLog, newSession];
    for (const registered of [...all, ...this.#tickets.splice(0)]) koffi.unregister(registered);
  }

  #ofStore(store: number): Asked | undefined {
    return this.#asked.get(storeContextSsl(store, this.#storeIndex));
  }

  #selectAlpn(ssl: number, slots: AlpnQuestion): number {
    const offered = viewOf(slots.offered, slots.length);
    const chosen = this.#asked.get(ssl)?.selectAlpn(offered);
    if (!chosen) return numbers.TLSEXT_ERR_NOACK;
    // OpenSSL copies from its own list, as its documentation allows.
    viewOf(slots.out, 8).writeBigUInt64LE(BigInt(slots.offered + chosen.start));
    viewOf(slots.outLength, 1).writeUInt8(chosen.length);
    return numbers.TLSEXT_ERR_OK;
  }

  #guarded<T>(failed: T, body: () => T): T {
    try {
      return body();
    } catch (error) {
      this.#onBug(error);
      return failed;
    }
  }
}
