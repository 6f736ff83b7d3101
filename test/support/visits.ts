/**
 * Connections that end well, and ones that are broken off at every step of the way in. Each resolves when its socket has
 * closed here; what a proxy still holds of it then is its own affair, and what the leak run looks for.
 */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import tls from "node:tls";

export const visitKinds = [
  "plainRequest",
  "tlsRequest",
  "resumedRequest",
  "afterConnect",
  "midProxyHeader",
  "midClientHello",
  "midHandshake",
  "afterHandshake",
  "midRequest",
  "midSecuredRequest",
] as const;
export type VisitKind = (typeof visitKinds)[number];

export interface VisitPorts {
  readonly plain: number;
  readonly secured: number;
}

const proxyHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 443\r\n";
const request = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: close\r\n\r\n";
/** So that no one address runs out of ports. */
const addressCount = 200;

export class Visitor {
  readonly #ports: VisitPorts;
  readonly #hello: Buffer;
  #session: Buffer | undefined;
  #count = 0;

  private constructor(ports: VisitPorts, hello: Buffer) {
    this.#ports = ports;
    this.#hello = hello;
  }

  static async create(ports: VisitPorts): Promise<Visitor> {
    return new Visitor(ports, await recordHello());
  }

  /** Rejects where a request that should have been answered was not. */
  async visit(kind: VisitKind): Promise<void> {
    this.#count++;
    switch (kind) {
      case "plainRequest":
        return this.#ask(this.#dial(this.#ports.plain), kind);
      case "tlsRequest":
        return this.#ask(await this.#secure(undefined), kind);
      case "resumedRequest":
        return this.#ask(await this.#secure(this.#session), kind);
      case "afterConnect":
        return this.#breakOff(await this.#raw(""));
      case "midProxyHeader":
        return this.#breakOff(await this.#raw(proxyHeader.slice(0, this.#count % 40)));
      case "midClientHello":
        return this.#breakOff(await this.#raw(this.#hello.subarray(0, 1 + (this.#count % 200))));
      case "midHandshake": {
        const socket = await this.#raw(this.#hello);
        await Promise.race([once(socket, "data"), once(socket, "close")]);
        return this.#breakOff(socket);
      }
      case "afterHandshake":
        return this.#breakOff(await this.#secure(undefined));
      case "midRequest": {
        const socket = this.#dial(this.#ports.plain);
        socket.write(request.slice(0, 20));
        await once(socket, "connect");
        return this.#breakOff(socket);
      }
      case "midSecuredRequest": {
        const socket = await this.#secure(this.#session);
        socket.write(request.slice(0, 20));
        return this.#breakOff(socket);
      }
      default:
        return kind satisfies never;
    }
  }

  #dial(port: number): net.Socket {
    const localAddress = `127.0.0.${1 + (this.#count % addressCount)}`;
    const socket = net.connect({ host: "127.0.0.1", port, localAddress });
    socket.on("error", () => {});
    return socket;
  }

  async #raw(bytes: string | Buffer): Promise<net.Socket> {
    const socket = this.#dial(this.#ports.secured);
    await once(socket, "connect");
    if (bytes.length > 0) socket.write(bytes);
    return socket;
  }

  async #secure(session: Buffer | undefined): Promise<tls.TLSSocket> {
    const carrier = this.#dial(this.#ports.secured);
    const secured = tls.connect({
      socket: carrier,
      servername: "a.test",
      rejectUnauthorized: false,
      ...(session && { session }),
      ...(this.#count % 3 === 0 && { maxVersion: "TLSv1.2" as const }),
    });
    secured.on("error", () => {});
    secured.on("session", (bytes: Buffer) => (this.#session = bytes));
    await once(secured, "secureConnect");
    return secured;
  }

  async #ask(socket: net.Socket, kind: VisitKind): Promise<void> {
    let answer = "";
    socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
    const closed = once(socket, "close");
    socket.end(request);
    await closed;
    if (!answer.startsWith("HTTP/1.1 200")) throw new Error(`${kind}: ${answer.slice(0, 60)}`);
  }

  /** By a FIN or a reset, in turns; TLS has no way to reset. */
  async #breakOff(socket: net.Socket): Promise<void> {
    if (socket.destroyed) return;
    const closed = once(socket, "close");
    const isSecured = socket instanceof tls.TLSSocket;
    if (isSecured || (this.#count >> 1) % 2 === 0) socket.destroy();
    else socket.resetAndDestroy();
    await closed;
  }
}

/** What a client of Node's sends first. */
export async function recordHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = tls.connect({ port, host: "127.0.0.1", servername: "a.test" });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return bytes;
}
