/** Clients that speak TLS to a proxy, and what they see of it. */
import { once } from "node:events";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";

export interface SecuredAnswer {
  readonly status: number | undefined;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
  readonly session: SeenSession;
}

export interface SeenSession {
  readonly version: string | null;
  readonly cipher: string;
  readonly alpn: string | false | null;
  readonly isResumed: boolean;
  /** Of the server's certificate. */
  readonly serial: string | undefined;
  readonly keyType: string | undefined;
}

/** One request on a connection of its own. Rejects where there is no TLS, or no answer. */
export async function securedGet(
  port: number,
  options: ConnectionOptions & {
    readonly path?: string;
    readonly headers?: object;
    readonly localAddress?: string;
  } = {},
): Promise<SecuredAnswer> {
  const { path = "/", headers = {}, ...tls } = options;
  const sent = request({
    host: "127.0.0.1",
    port,
    path,
    headers: { ...headers },
    agent: false,
    rejectUnauthorized: false,
    ALPNProtocols: ["http/1.1"],
    ...tls,
  });
  let session: SeenSession | undefined;
  sent.on("socket", (socket) => {
    const secured = socket as TLSSocket;
    secured.once("secureConnect", () => (session = seenOf(secured)));
  });
  sent.end();
  const [message] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of message) body += String(chunk);
  const seen = session;
  if (!seen) throw new Error("an answer without a handshake");
  return { status: message.statusCode, body, headers: message.headers, session: seen };
}

/** A connection whose handshake is done. Rejects where it fails. */
export async function securedConnection(
  port: number,
  options: ConnectionOptions = {},
): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  await once(socket, "secureConnect");
  return socket;
}

/**
 * What becomes of a connection whose handshake the server refuses. In TLS 1.3 the client learns of it after its own part is
 * done: so it asks, and waits for what comes.
 */
export function refusalOf(port: number, options: ConnectionOptions = {}): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  socket.on("secureConnect", () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  socket.on("data", (chunk) => resolve(`an answer: ${String(chunk).slice(0, 40)}`));
  socket.on("close", () => resolve("closed"));
  return promise.finally(() => socket.destroy());
}

export function seenOf(socket: TLSSocket): SeenSession {
  const certificate = socket.getPeerX509Certificate();
  return {
    version: socket.getProtocol(),
    cipher: socket.getCipher().standardName,
    alpn: socket.alpnProtocol,
    isResumed: socket.isSessionReused(),
    serial: certificate?.serialNumber,
    keyType: certificate?.publicKey.asymmetricKeyType,
  };
}
