/**
 * One handshake on a socket that is connected or about to be.
 *
 * What one would get wrong: a socket under TLS goes on emitting errors of its own, and one that nobody listens to ends
 * the process.
 */
import type { X509Certificate } from "node:crypto";
import { isIP, type Socket } from "node:net";
import { connect, type TLSSocket } from "node:tls";
import { messageOf } from "../../shared/common/errors.ts";
import { keyUsageFailure, keyUsageOf } from "../../shared/io/tls/key-usage.ts";
import type { ClientContext } from "./client-context.ts";

export type TlsFailure = "handshake" | "chain" | "name" | "hash" | "noCertificate";

/** Why there is no TLS: the message is for people, `failure` for the stats. */
export class TlsError extends Error {
  override readonly name = "TLS error";
  readonly failure: TlsFailure;

  constructor(failure: TlsFailure, message: string) {
    super(message);
    this.failure = failure;
  }
}

export interface Handshake {
  readonly context: ClientContext;
  /** Of the server; empty: not sent. An address is not sent either: RFC 6066 §3 has names alone. */
  readonly sni: string;
  readonly alpnProtocols: readonly string[];
}

/** Rejects with a `TlsError`, and then the socket is destroyed. */
export function shakeHands(socket: Socket, handshake: Handshake): Promise<TLSSocket> {
  const { context, sni, alpnProtocols } = handshake;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const verifiesChain = verifies(context);
  const secured = connect({
    socket,
    secureContext: context.context,
    rejectUnauthorized: verifiesChain,
    checkServerIdentity: () => undefined,
    ALPNProtocols: [...alpnProtocols],
    ...(sni === "" || isIP(sni) !== 0 ? {} : { servername: sni }),
  });
  const fail = (error: TlsError): void => {
    reject(error);
    secured.destroy();
    socket.destroy();
  };
  socket.on("error", (error) => fail(new TlsError("handshake", error.message)));
  secured.on("error", (error) => fail(errorOf(secured, error)));
  secured.on("close", () =>
    fail(new TlsError("handshake", "the server closed the connection during the TLS handshake")),
  );
  secured.once("secureConnect", () => {
    const error = judge(secured, context);
    if (error) fail(error);
    else resolve(secured);
  });
  return promise;
}

/** Without a CA there is no chain to verify, only a certificate to look at. */
function verifies({ validation }: ClientContext): boolean {
  return validation?.authorities !== undefined && !validation.acceptsUntrusted;
}

function judge(
  secured: TLSSocket,
  { validation, judge: judgeLeaf }: ClientContext,
): TlsError | undefined {
  const certificate = secured.getPeerX509Certificate();
  const misuse = certificate && misuseOf(certificate, secured);
  if (misuse) return misuse;
  if (!validation || validation.acceptsUntrusted) return undefined;
  if (!certificate) return new TlsError("noCertificate", "the server showed no certificate");
  const refusal = judgeLeaf?.(certificate);
  return refusal && new TlsError(refusal.kind, refusal.reason);
}

function misuseOf({ raw }: X509Certificate, secured: TLSSocket): TlsError | undefined {
  const version = secured.getProtocol() === "TLSv1.3" ? "TLSv1.3" : "TLSv1.2";
  const misuse = keyUsageFailure(keyUsageOf(raw), { version, cipher: secured.getCipher().name });
  return misuse && new TlsError("handshake", misuse.reason);
}

function errorOf(secured: TLSSocket, error: Error): TlsError {
  // Set before the error is emitted, and only when it is the chain that failed.
  const { authorizationError: chainError } = secured;
  if (chainError) return new TlsError("chain", `certificate verify failed: ${error.message}`);
  return new TlsError("handshake", `handshake failed: ${wordsOf(error)}`);
}

/** OpenSSL's reason, without the numbers and source lines around it. */
function wordsOf(error: Error): string {
  const reason = "reason" in error ? error.reason : undefined;
  return typeof reason === "string" ? reason : messageOf(error);
}
