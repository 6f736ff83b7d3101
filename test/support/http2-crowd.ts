/**
 * Clients of HTTP/2 that keep every stream open that they may, and do what GOAWAY says: no new stream on that connection,
 * a new connection beside it, and the old one until its last stream has ended. They remember each stream that came to
 * nothing, with what was the matter.
 *
 * What a newcomer would get wrong: frames by hand, because a library hides which streams were refused and sends them again.
 */
import net from "node:net";
import {
  clientPreface,
  flag,
  FrameHeader,
  frameHeaderBytes,
  frameType,
  setting,
} from "../../src/data/http/http2/frames.ts";
import { frame, requestBlock, whole } from "./raw-http2.ts";

const status200 = 0x88;
const windowBytes = 2 ** 30;
const word = Buffer.alloc(4);
word.writeUInt32BE(windowBytes);
const oneSetting = Buffer.concat([Buffer.from([0, setting.initialWindowSize]), word]);
const hello = Buffer.concat([
  clientPreface,
  frame(frameType.settings, 0, 0, oneSetting),
  frame(frameType.windowUpdate, 0, 0, word),
]);
const ask = requestBlock();

export interface CrowdOptions {
  readonly connections: number;
  /** At once, on each. */
  readonly streams: number;
}

export class Http2Crowd implements AsyncDisposable {
  /** Responses with status 200 that came whole. */
  answered = 0;
  /** What went wrong, by how often. */
  readonly failures = new Map<string, number>();
  /** Connections that ended before the proxy had said a word: none of their streams was accepted. */
  turnedAway = 0;
  /** Connections that were told to go. */
  told = 0;
  readonly #port: number;
  readonly #streams: number;
  readonly #clients = new Set<CrowdClient>();
  #isStopped = false;

  constructor(port: number, { connections, streams }: CrowdOptions) {
    this.#port = port;
    this.#streams = streams;
    for (let i = 0; i < connections; i++) this.dial();
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get streams(): number {
    return this.#streams;
  }

  /** Streams under way. */
  get open(): number {
    let open = 0;
    for (const client of this.#clients) open += client.open;
    return open;
  }

  dial(): void {
    if (!this.#isStopped) this.#clients.add(new CrowdClient(this, this.#port));
  }

  failed(what: string, count = 1): void {
    if (count > 0) this.failures.set(what, (this.failures.get(what) ?? 0) + count);
  }

  left(client: CrowdClient): void {
    this.#clients.delete(client);
  }

  /** No new streams; the connections stay until `Symbol.asyncDispose`. */
  stop(): void {
    this.#isStopped = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    for (const client of this.#clients) client.destroy();
    await Promise.resolve();
  }
}

class CrowdClient {
  readonly #crowd: Http2Crowd;
  readonly #socket: net.Socket;
  readonly #open = new Set<number>();
  readonly #frame = new FrameHeader();
  #rest: Buffer = Buffer.alloc(0);
  #nextId = 1;
  #hasHeard = false;
  #isGoing = false;
  #isOver = false;

  constructor(crowd: Http2Crowd, port: number) {
    this.#crowd = crowd;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("connect", () => {
      this.#socket.write(hello);
      this.#fill();
    });
    this.#socket.on("data", (data) => this.#onData(data));
    this.#socket.on("error", () => {});
    this.#socket.on("end", () => this.#onEnd("FIN"));
    this.#socket.on("close", (hadError) => this.#onEnd(hadError ? "RST" : "close"));
  }

  get open(): number {
    return this.#open.size;
  }

  destroy(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #fill(): void {
    if (this.#isGoing || this.#isOver || this.#crowd.isStopped) return;
    const asks: Buffer[] = [];
    while (this.#open.size < this.#crowd.streams) {
      const id = this.#nextId;
      this.#nextId += 2;
      this.#open.add(id);
      asks.push(frame(frameType.headers, whole, id, ask));
    }
    if (asks.length > 0) this.#socket.write(Buffer.concat(asks));
  }

  #onData(data: Buffer): void {
    this.#hasHeard = true;
    let bytes = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    const header = this.#frame;
    while (bytes.length >= frameHeaderBytes) {
      header.read(bytes, 0);
      const end = frameHeaderBytes + header.length;
      if (bytes.length < end) break;
      this.#onFrame(bytes.subarray(frameHeaderBytes, end));
      bytes = bytes.subarray(end);
    }
    this.#rest = bytes;
    this.#fill();
    if (this.#isGoing && this.#open.size === 0) this.#socket.end();
  }

  #onFrame(payload: Buffer): void {
    const { type, streamId: id } = this.#frame;
    const ends = this.#frame.has(flag.endStream);
    switch (type) {
      case frameType.headers:
        if (payload[0] === status200) this.#crowd.answered++;
        else this.#crowd.failed(`a status that is not 200: ${payload.toString("latin1", 0, 12)}`);
        if (ends) this.#open.delete(id);
        return;
      case frameType.data:
        if (ends) this.#open.delete(id);
        return;
      case frameType.rstStream:
        if (this.#open.delete(id)) this.#crowd.failed(`RST_STREAM ${payload.readUInt32BE(0)}`);
        return;
      case frameType.goaway:
        this.#onGoaway(payload.readUInt32BE(0), payload.readUInt32BE(4));
        return;
      case frameType.settings:
        if (!this.#frame.has(flag.ack)) this.#socket.write(frame(frameType.settings, flag.ack, 0));
        return;
      case frameType.ping:
        if (!this.#frame.has(flag.ack))
          this.#socket.write(frame(frameType.ping, flag.ack, 0, payload));
        return;
      default:
    }
  }

  #onGoaway(lastId: number, code: number): void {
    if (code !== 0) this.#crowd.failed(`GOAWAY ${code}`);
    for (const id of this.#open) {
      if (id <= lastId) continue;
      this.#open.delete(id);
      this.#crowd.failed("a stream beyond the last of GOAWAY");
    }
    if (this.#isGoing) return;
    this.#isGoing = true;
    this.#crowd.told++;
    this.#crowd.dial();
  }

  #onEnd(how: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.destroy();
    this.#crowd.left(this);
    if (this.#hasHeard) this.#crowd.failed(`${how} under an open stream`, this.#open.size);
    else if (this.#open.size > 0) this.#crowd.turnedAway++;
    this.#open.clear();
    // A refusal costs no time: without a turn of the loop nothing else would get any.
    if (!this.#isGoing) setTimeout(() => this.#crowd.dial(), 5);
  }
}
