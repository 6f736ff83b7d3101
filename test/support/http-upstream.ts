import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers with its name; requests of `/slow` may be held, to have something in flight. */
export class HttpUpstream implements Disposable {
  readonly #server: Server;
  readonly #name: string;
  #held: { readonly arrived: () => void; readonly released: Promise<void> } | undefined;

  private constructor(name: string) {
    this.#name = name;
    this.#server = createServer((incoming, response) => {
      if (incoming.url === "/slow" && this.#held) void this.#answerLater(response, this.#held);
      else response.end(this.#name);
    });
  }

  static async start(name: string): Promise<HttpUpstream> {
    const upstream = new HttpUpstream(name);
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  hold(): { readonly arrived: Promise<void>; release(): void } {
    const arrived = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#held = { arrived: arrived.resolve, released: released.promise };
    return { arrived: arrived.promise, release: released.resolve };
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #answerLater(
    response: ServerResponse,
    held: { readonly arrived: () => void; readonly released: Promise<void> },
  ): Promise<void> {
    held.arrived();
    await held.released;
    response.end(this.#name);
  }
}
