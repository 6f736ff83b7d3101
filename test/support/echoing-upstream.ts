/** Answers requests with `fine`, and echoes what comes over an upgraded connection, or over plain TCP. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import net, { type AddressInfo } from "node:net";

export class EchoingUpstream implements Disposable {
  readonly http: number;
  readonly tcp: number;
  readonly #sockets: Set<net.Socket>;
  readonly #servers: readonly net.Server[];

  static async start(): Promise<EchoingUpstream> {
    const sockets = new Set<net.Socket>();
    const echo = (socket: net.Socket): void => {
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.pipe(socket);
    };
    const http = createServer((_, response) => response.end("fine"));
    http.on("upgrade", ({ headers }, socket: net.Socket) => {
      socket.write(agreement(headers["sec-websocket-key"] ?? ""));
      echo(socket);
    });
    const tcp = net.createServer(echo);
    for (const server of [http, tcp]) {
      server.on("connection", (socket: net.Socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket));
      });
      await once(server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }), "listening");
    }
    return new EchoingUpstream(sockets, [http, tcp]);
  }

  private constructor(sockets: Set<net.Socket>, servers: readonly [net.Server, net.Server]) {
    this.#sockets = sockets;
    this.#servers = servers;
    [this.http, this.tcp] = [portOf(servers[0]), portOf(servers[1])];
  }

  [Symbol.dispose](): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port;
}

/** RFC 6455 §4.2.2; HAProxy looks at it. */
function agreement(key: string): string {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
  const fields = [
    "connection: upgrade",
    "upgrade: websocket",
    `sec-websocket-accept: ${accept.digest("base64")}`,
  ];
  return ["HTTP/1.1 101 Switching Protocols", ...fields, "", ""].join("\r\n");
}
