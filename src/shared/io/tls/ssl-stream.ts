/**
 * One connection's TLS on a descriptor: OpenSSL reads and writes the socket itself. `EpollSocket` decides when; here is
 * what comes of it.
 *
 * What a newcomer would get wrong: a write that the kernel did not take is half done inside OpenSSL. It must be repeated
 * from the same bytes, at least as many, before anything else is written.
 */
import { errno, errnoName, errnoOf } from "../syscalls.ts";
import { NativeObject } from "./native-object.ts";
import {
  allocate,
  bioNumberRead,
  errClear,
  errPeekLast,
  ssl as numbers,
  sslCtrl,
  sslCtrlText,
  sslError,
  sslFree,
  sslHandshake,
  sslHasPending,
  sslNew,
  sslOwnCertificate,
  sslPeerLeaf,
  sslRead,
  sslReadBio,
  sslServerName,
  sslSetAccept,
  sslSetAlpn,
  sslSetConnect,
  sslSetFd,
  sslShutdown,
  sslVerifyResult,
  sslWrite,
  storeContextChain,
  storeContextDepth,
  storeContextError,
  storeContextLeaf,
  storeContextSetError,
  takeError,
  verifyChain,
  verifyErrorText,
  viewOf,
  x509KeyUsage,
} from "./openssl.ts";
import { certificateOf, certificatesOf } from "./pem.ts";
import { encodeProtocols, selectProtocol } from "./alpn.ts";
import { chainText, failureText, noPeerCertificate, refusalText } from "./failure-text.ts";
import { keyUsageFailure, keyUsageFrom } from "./key-usage.ts";
import type { Asked } from "./ssl-callbacks.ts";
import type { SslClientContext } from "./ssl-client-context.ts";
import type { SslServerContext } from "./ssl-server-context.ts";
import { SslSession } from "./ssl-session.ts";
import type { StapleAnswer, TlsFailure, TlsSession } from "./tls.ts";

export type SslContext = SslClientContext | SslServerContext;

/** What `read` and `write` return in place of a count. */
export const sslBlocked = -1;
export const sslFailed = -2;

export type HandshakeStep = "done" | "wantsRead" | "wantsWrite" | "failed";

/** `host_name` (RFC 6066 3). */
const hostName = 0;
/** Of plain text in one record (RFC 8446 5.1). */
const recordBytesMax = 16 * 1024;
const reasonMask = 0x7f_ffff;

export interface SslStart {
  readonly serverName?: string;
  readonly alpnProtocols?: readonly string[];
}

export class SslStream implements Asked {
  readonly #context: SslContext;
  readonly #ssl: NativeObject;
  readonly #onKeyLog: (line: string) => void;
  #session: SslSession | undefined;
  #failure: TlsFailure | undefined;
  #isVerified = false;
  #staple: StapleAnswer = "notAsked";
  /** errno of the call that failed, 0 for a failure of TLS itself. */
  failedErrno = 0;
  /** After a read that brought bytes: neither OpenSSL nor the kernel holds more, short of an end. */
  isDrained = false;
  /** Bytes that had come from the kernel when OpenSSL's buffer was last known to be empty. */
  #emptyAt = 0;
  /** A read has something to answer first, for which the socket has no room. */
  readWaitsForRoom = false;

  constructor(context: SslContext, fd: number, start: SslStart, onKeyLog: (line: string) => void) {
    this.#context = context;
    this.#onKeyLog = onKeyLog;
    this.#ssl = new NativeObject(sslNew(context.native.pointer), sslFree);
    try {
      const { pointer } = this.#ssl;
      sslSetFd(pointer, fd);
      if (context.role === "server") sslSetAccept(pointer);
      else this.#prepareClient(context, start);
      context.callbacks.add(pointer, this);
    } catch (error) {
      this.#ssl.free();
      throw error;
    }
  }

  get session(): TlsSession | undefined {
    return this.#session;
  }

  get failure(): TlsFailure | undefined {
    return this.#failure;
  }

  handshake(): HandshakeStep {
    const { pointer } = this.#ssl;
    errClear();
    const result = sslHandshake(pointer);
    if (result === 1) {
      return this.#onDone(pointer);
    }
    const code = errno();
    switch (sslError(pointer, result)) {
      case numbers.ERROR_WANT_READ:
        return "wantsRead";
      case numbers.ERROR_WANT_WRITE:
        return "wantsWrite";
      default:
        this.#fail(result, code);
        return "failed";
    }
  }

  /**
   * Bytes, 0 at the end of the peer's, `sslBlocked` or `sslFailed`. As many records as are here and fit: what comes after
   * them, an end or a failure, the next call tells.
   */
  read(address: number, length: number): number {
    const { pointer } = this.#ssl;
    let done = 0;
    let hasPending = false;
    do {
      errClear();
      const count = sslRead(pointer, address + done, length - done);
      if (count <= 0 && done === 0) return this.#outcome(count);
      if (count <= 0) break;
      done += count;
      hasPending = this.hasPending;
    } while (hasPending && length - done >= recordBytesMax);
    this.#noteDrained(pointer, hasPending);
    return done;
  }

  /**
   * Bytes that were taken, which is less than all where the socket is full. -1: none was, and `failedErrno` says why,
   * as errno does for send(2).
   */
  writeAll(address: number, length: number): number {
    let done = 0;
    while (done < length) {
      errClear();
      const count = sslWrite(this.#ssl.pointer, address + done, length - done);
      if (count > 0) done += count;
      else {
        const outcome = this.#outcome(count);
        if (outcome === sslBlocked) this.failedErrno = errnoOf.EAGAIN;
        else if (this.failedErrno === 0) this.failedErrno = errnoOf.EPIPE;
        if (done === 0 || outcome !== sslBlocked) return -1;
        break;
      }
    }
    return done;
  }

  /** Whether there is something that the kernel will not report again. */
  get hasPending(): boolean {
    return sslHasPending(this.#ssl.pointer) === 1;
  }

  /** Says that nothing more comes (close_notify); a full socket loses it. */
  sendClose(): void {
    if (this.#failure !== undefined || this.#session === undefined || this.#ssl.isFreed) return;
    errClear();
    sslShutdown(this.#ssl.pointer);
    errClear();
  }

  free(): void {
    if (this.#ssl.isFreed) return;
    const { pointer } = this.#ssl;
    try {
      this.#session?.keep(this.#context.config.validation !== undefined);
    } finally {
      this.#context.callbacks.remove(pointer);
      this.#ssl.free();
    }
  }

  // As `Asked`.

  verify(storeContext: number): number {
    const failure = this.#judge(storeContext);
    if (!failure) {
      this.#isVerified = this.#verifies;
      if (this.#isVerified) storeContextSetError(storeContext, numbers.X509_V_OK);
      return 1;
    }
    // Also where it is let pass: the session remembers what came of it.
    if (storeContextError(storeContext) === numbers.X509_V_OK)
      storeContextSetError(storeContext, numbers.X509_V_ERR_APPLICATION_VERIFICATION);
    if (this.#context.config.validation?.acceptsUntrusted === true) return 1;
    this.#failure = failure;
    return 0;
  }

  selectAlpn(offered: Buffer): { readonly start: number; readonly length: number } | undefined {
    return selectProtocol(this.#context.config.alpnProtocols, offered);
  }

  selectCertificate(): void {
    if (this.#context.role !== "server") return;
    const { pointer } = this.#ssl;
    this.#context.selectCertificate(pointer, sslServerName(pointer, hostName) ?? undefined);
  }

  staple(): "given" | "none" | "refused" {
    if (this.#context.role !== "server") return "none";
    const answer = this.#stapled(this.#context);
    if (answer === "refused") this.#failure = { kind: "staple", reason: "no OCSP response" };
    else this.#staple = answer;
    return answer;
  }

  #stapled(context: SslServerContext): "given" | "none" | "refused" {
    const own = sslOwnCertificate(this.#ssl.pointer);
    if (own === 0) return "none";
    const response = context.stapleOf(() => certificateOf(own).fingerprint256, Date.now());
    if (typeof response === "string") return response;
    // OpenSSL frees it with the connection.
    const copy = allocate(response.length, 0, 0);
    viewOf(copy, response.length).set(response);
    sslCtrl(this.#ssl.pointer, numbers.CTRL_SET_STATUS_RESPONSE, response.length, copy);
    return "given";
  }

  keyLog(line: string): void {
    this.#onKeyLog(line);
  }

  keepSession(session: number): boolean {
    return this.#context.role === "client" && this.#context.keepSession(session);
  }

  /** Whether a peer's certificate is held against anything. */
  get #verifies(): boolean {
    const { judge, config } = this.#context;
    return judge !== undefined || config.validation?.authoritiesPem !== undefined;
  }

  #prepareClient(context: SslClientContext, start: SslStart): void {
    const { pointer } = this.#ssl;
    sslSetConnect(pointer);
    const serverName = start.serverName ?? context.config.serverName;
    if (serverName !== "") sslCtrlText(pointer, numbers.CTRL_SET_SERVER_NAME, hostName, serverName);
    const protocols = start.alpnProtocols
      ? encodeProtocols(start.alpnProtocols)
      : context.protocols;
    if (protocols.length > 0) sslSetAlpn(pointer, protocols, protocols.length);
    context.resume(pointer);
  }

  #onDone(pointer: number): "done" | "failed" {
    const alive = (): number | undefined => (this.#ssl.isFreed ? undefined : pointer);
    // Of a session that is resumed nothing is verified again: it says what came of it then.
    const isVerified =
      this.#isVerified ||
      (this.#verifies &&
        sslPeerLeaf(pointer) !== 0 &&
        sslVerifyResult(pointer) === numbers.X509_V_OK);
    const facts = { isPeerVerified: isVerified, staple: this.#staple };
    const session = new SslSession(pointer, alive, facts);
    this.#failure ??= this.#keyUsageFailure(pointer, session);
    if (this.#failure !== undefined) return "failed";
    this.#session = session;
    return "done";
  }

  #keyUsageFailure(pointer: number, session: TlsSession): TlsFailure | undefined {
    if (this.#context.role === "server" || session.isResumed) return undefined;
    const leaf = sslPeerLeaf(pointer);
    const bits = leaf === 0 ? undefined : x509KeyUsage(leaf);
    return keyUsageFailure(bits === undefined ? undefined : keyUsageFrom(bits), session);
  }

  /**
   * OpenSSL reads ahead into a buffer of one record and a bit. Unless it was full since it was last empty, each recv came
   * back with less than it asked for, so the kernel had no more, and will report what comes: a read is saved.
   */
  #noteDrained(pointer: number, hasPending: boolean): void {
    if (hasPending) {
      this.isDrained = false;
      return;
    }
    const total = bioNumberRead(sslReadBio(pointer));
    this.isDrained = total - this.#emptyAt < recordBytesMax;
    this.#emptyAt = total;
  }

  #judge(storeContext: number): TlsFailure | undefined {
    const { config, domains, judge } = this.#context;
    if (config.validation?.authoritiesPem !== undefined && verifyChain(storeContext) !== 1) {
      const text = verifyErrorText(storeContextError(storeContext));
      const reason = chainText(text, storeContextDepth(storeContext));
      return { kind: "certificate", reason };
    }
    const foreign = domains?.refusalOf(certificatesOf(storeContextChain(storeContext)));
    if (foreign !== undefined) return { kind: "certificate", reason: refusalText(foreign) };
    const refusal = judge?.(certificateOf(storeContextLeaf(storeContext)));
    return refusal && { kind: refusal.kind, reason: refusalText(refusal.reason) };
  }

  #outcome(result: number): number {
    const code = errno();
    const kind = sslError(this.#ssl.pointer, result);
    this.readWaitsForRoom = kind === numbers.ERROR_WANT_WRITE;
    if (kind === numbers.ERROR_WANT_READ || kind === numbers.ERROR_WANT_WRITE) return sslBlocked;
    if (kind === numbers.ERROR_ZERO_RETURN) return 0;
    this.#fail(result, code);
    return sslFailed;
  }

  /** `code`: errno right after the call, for any other call may change it. */
  #fail(result: number, code: number): void {
    const kind = sslError(this.#ssl.pointer, result);
    if (kind === numbers.ERROR_SYSCALL && errPeekLast() === 0) {
      this.failedErrno = code;
      this.#failure ??= { kind: "closed", reason: code === 0 ? "closed" : errnoName(code) };
    } else if (kind === numbers.ERROR_ZERO_RETURN)
      this.#failure ??= { kind: "closed", reason: "closed" };
    else this.#failure ??= protocolFailure();
    errClear();
  }
}

function protocolFailure(): TlsFailure {
  const code = errPeekLast() & reasonMask;
  const kind = code === noPeerCertificate ? "noCertificate" : "protocol";
  return { kind, reason: failureText(code, takeError()) };
}
