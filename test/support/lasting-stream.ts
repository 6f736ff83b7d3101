/**
 * A client whose connection is to last: it sends bytes that tell their own place, has them echoed, and looks at each that
 * comes back. Lost, doubled or in another order, it is `wrong`; an end is a `cut`, and it dials again.
 */
import net from "node:net";

export interface LastingStreamOptions {
  /** Sent first, and answered with a head that ends in an empty line: what makes a WebSocket of the connection. */
  readonly opening?: string;
  /** Sent and not yet back, at most: much of it keeps both directions busy. */
  readonly windowBytes?: number;
}

const blockBytes = 4_096;
/** No power of two: a block that is missing or doubled does not look like the next. */
const period = 64_997;
const pattern = Buffer.from(Array.from({ length: period + blockBytes }, (_, i) => mark(i)));

/** A WebSocket as far as a proxy sees it. */
export const webSocketOpening = [
  "GET /chat HTTP/1.1",
  "host: a",
  "connection: upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==",
  "",
  "",
].join("\r\n");

export class LastingStream implements Disposable {
  /** Over all connections. */
  echoedBytes = 0;
  cuts = 0;
  wrong = 0;
  readonly #port: number;
  readonly #opening: string;
  readonly #windowBytes: number;
  #socket: net.Socket;
  #isOpen = false;
  #head = "";
  #sent = 0;
  #received = 0;
  #isStopped = false;

  constructor(port: number, { opening = "", windowBytes = blockBytes }: LastingStreamOptions = {}) {
    this.#port = port;
    this.#opening = opening;
    this.#windowBytes = windowBytes;
    this.#socket = this.#dial();
  }

  /** Sends no more; resolves when all that was sent is back, or the connection has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    while (this.#received < this.#sent && !this.#socket.destroyed)
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#isStopped = true;
    this.#socket.destroy();
  }

  #dial(): net.Socket {
    const socket = net.connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    this.#head = "";
    this.#isOpen = false;
    this.#sent = this.#received = 0;
    socket.on("connect", () => {
      if (this.#opening === "") this.#opened();
      else socket.write(this.#opening);
    });
    socket.on("data", (bytes) => this.#onData(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.#onClose());
    return socket;
  }

  #onData(bytes: Buffer): void {
    if (this.#isOpen) return this.#take(bytes);
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf("\r\n\r\n");
    if (end < 0) return;
    if (!this.#head.startsWith("HTTP/1.1 101")) return void this.#socket.destroy();
    this.#opened();
  }

  #opened(): void {
    this.#isOpen = true;
    this.#fill();
  }

  #fill(): void {
    while (!this.#isStopped && this.#sent - this.#received + blockBytes <= this.#windowBytes) {
      const at = this.#sent % period;
      this.#socket.write(pattern.subarray(at, at + blockBytes));
      this.#sent += blockBytes;
    }
  }

  #take(bytes: Buffer): void {
    for (const byte of bytes) {
      if (byte !== mark(this.#received % period)) this.wrong++;
      this.#received++;
    }
    this.echoedBytes += bytes.length;
    // At the loop's pace: what else runs here gets its turn.
    setImmediate(() => this.#fill());
  }

  #onClose(): void {
    if (this.#isStopped) return;
    this.cuts++;
    this.#socket = this.#dial();
  }
}

function mark(at: number): number {
  const place = at % period;
  return (place * 7 + (place >> 8) * 3) & 0xff;
}
