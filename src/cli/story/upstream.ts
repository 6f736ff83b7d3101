/** A small HTTP server that says who it is, at its own pace. */
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** `/download`: so many chunks, one every so many milliseconds. */
export const downloadBytes = 100 * 65_536;
const chunk = Buffer.alloc(65_536, "sluice ");
const chunkEveryMs = 50;
/** `/slow`: long enough to be under way while its listener is removed. */
const slowMs = 1500;

export class Upstream implements Disposable {
  readonly name: string;
  readonly port: number;
  readonly #server: Server;

  static async start(name: string): Promise<Upstream> {
    const server = createServer((request, response) => answer(name, request.url ?? "/", response));
    // An idle connection of the proxy's pool must not end just as a request comes along it.
    server.keepAliveTimeout = 0;
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new Upstream(name, server);
  }

  private constructor(name: string, server: Server) {
    this.name = name;
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function answer(name: string, url: string, response: ServerResponse): void {
  if (url.startsWith("/download")) sendSlowly(response);
  else if (url.startsWith("/slow")) setTimeout(() => response.end(name), slowMs);
  else response.end(name);
}

function sendSlowly(response: ServerResponse): void {
  response.setHeader("content-length", downloadBytes);
  let sent = 0;
  const timer = setInterval(() => {
    // A reader that falls behind is waited for.
    if (response.writableNeedDrain) return;
    response.write(chunk);
    sent += chunk.length;
    if (sent < downloadBytes) return;
    clearInterval(timer);
    response.end();
  }, chunkEveryMs);
  response.on("close", () => clearInterval(timer));
}
