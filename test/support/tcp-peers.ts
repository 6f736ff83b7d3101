/** Plain TCP peers on loopback: an upstream that echoes, and clients that remember how they ended. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";

export interface TestUpstream extends AsyncDisposable {
  readonly port: number;
  readonly connections: ReadonlySet<Socket>;
}

/** `serve` gets each connection; half-close is left to it. */
export async function startUpstream(
  serve: (socket: Socket) => void = (socket) => void socket.pipe(socket),
  host = "127.0.0.1",
): Promise<TestUpstream> {
  const connections = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => connections.delete(socket));
    serve(socket);
  });
  server.listen(0, host, 4096);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Clients of the test that is running: tests of one file run one after the other. */
const clients = new Set<TestClient>();

/** Those that a test left half open would keep its process alive. */
export function destroyClients(): void {
  for (const client of clients) client.socket.destroy();
  clients.clear();
}

export class TestClient {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #waiting = new Set<() => void>();
  receivedBytes = 0;
  hasEnded = false;
  hasClosed = false;
  error: string | undefined = undefined;

  /** `localAddress`: where the proxy sees it come from. */
  constructor(port: number, host = "127.0.0.1", localAddress?: string) {
    const from = localAddress === undefined ? {} : { localAddress };
    this.socket = connect({ port, host, ...from, allowHalfOpen: true, noDelay: true });
    clients.add(this);
    this.socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.receivedBytes += chunk.length;
      this.#wake();
    });
    this.socket.on("end", () => this.#wake((this.hasEnded = true)));
    this.socket.on("close", () => this.#wake((this.hasClosed = true)));
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message;
      this.#wake();
    });
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  connected(): Promise<unknown> {
    return once(this.socket, "connect");
  }

  /** Sends and waits for as many bytes back; throws where the connection ends first. */
  async echo(text: string): Promise<void> {
    const enough = this.receivedBytes + text.length;
    this.socket.write(text);
    await this.until(() => this.receivedBytes >= enough || this.#isOver());
    assert(this.receivedBytes >= enough, `no echo of "${text}": ${this.error ?? "ended"}`);
  }

  ended(): Promise<void> {
    return this.until(() => this.#isOver());
  }

  until(isTrue: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isTrue()) return;
        this.#waiting.delete(check);
        resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }

  #isOver(): boolean {
    return this.hasEnded || this.hasClosed || this.error !== undefined;
  }

  #wake(_changed?: boolean): void {
    for (const check of this.#waiting) check();
  }
}
