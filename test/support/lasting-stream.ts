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
  /** What came back is followed by more so much later: what else runs gets its turn. */
  readonly gapMs?: number;
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
  /** Pieces that are not as they were sent. */
  wrong = 0;
  readonly #port: number;
  readonly #opening: string;
  readonly #windowBytes: number;
  readonly #gapMs: number;
  #socket: net.Socket;
  #isOpen = false;
  #head = "";
  #sent = 0;
  #received = 0;
  #isStopped = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(port: number, options: LastingStreamOptions = {}) {
    const { opening = "", windowBytes = blockBytes, gapMs = 1 } = options;
    this.#port = port;
    this.#gapMs = gapMs;
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
    clearTimeout(this.#timer);
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
    for (let at = 0; at < bytes.length;) {
      const place = this.#received % period;
      const expected = pattern.subarray(place, place + bytes.length - at);
      const came = bytes.subarray(at, at + expected.length);
      if (!came.equals(expected)) this.wrong++;
      at += came.length;
      this.#received += came.length;
    }
    this.echoedBytes += bytes.length;
    if (this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#fill();
    }, this.#gapMs);
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
