import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const chunk = Buffer.alloc(16 * 1024, "x");

/**
 * Answers `GET /download/CHUNKS/MS` with so many chunks of 16 KiB, one every MS milliseconds; a POST with the length
 * of its body when all of it has come; anything else at once.
 */
export class TransferUpstream implements Disposable {
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const [, kind, chunks, ms] = (request.url ?? "").split("/");
      if (kind === "download") void sendSlowly(response, Number(chunks), Number(ms));
      else if (request.method === "POST") void answerLength(request, response);
      else response.end("ok");
    });
  }

  static async start(): Promise<TransferUpstream> {
    const upstream = new TransferUpstream();
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

async function sendSlowly(response: ServerResponse, chunks: number, ms: number): Promise<void> {
  response.setHeader("content-length", chunks * chunk.length);
  for (let i = 0; i < chunks && !response.destroyed; i++) {
    response.write(chunk);
    await pause(ms);
  }
  response.end();
}

async function answerLength(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let length = 0;
  request.on("data", (data: Buffer) => (length += data.length));
  // The proxy may go away half way: then there is nobody to answer.
  request.on("end", () => response.end(String(length)));
  request.on("error", () => {});
}
