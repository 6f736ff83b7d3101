/** A client of HTTP/2 that says what no library would: frames by hand, and the frames that come back. */
import { once } from "node:events";
import net from "node:net";
import { clientPreface, frameType } from "../../src/data/http/http2/frames.ts";

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

export type Fields = readonly (readonly [name: string, value: string])[];

export function frame(
  type: number,
  flags: number,
  id: number,
  payload: Uint8Array | string = "",
): Buffer {
  const body = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, body]);
}

/** Literals that are not indexed. */
export function block(fields: Fields): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)]),
  );
}

/** A GET to `/` with fields of its own behind, and others in the place of those before. */
export function requestBlock(
  extra: Fields = [],
  pseudo: Readonly<Record<string, string>> = {},
): Buffer {
  const before = {
    ":method": "GET",
    ":scheme": "http",
    ":authority": "a",
    ":path": "/",
    ...pseudo,
  };
  return block([...Object.entries(before), ...extra]);
}

/** END_STREAM and END_HEADERS. */
export const whole = 5;

export class RawHttp2Client {
  readonly frames: RawFrame[] = [];
  hasEnded = false;
  readonly #socket: net.Socket;
  #rest: Buffer = Buffer.alloc(0);

  /** `staysOpen`: it does not end with its peer. */
  constructor(port: number, { staysOpen = false } = {}) {
    this.#socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: staysOpen });
    this.#socket.on("error", () => (this.hasEnded = true));
    this.#socket.on("end", () => (this.hasEnded = true));
    this.#socket.on("close", () => (this.hasEnded = true));
    this.#socket.on("data", (data) => this.#onData(data));
    this.send(clientPreface, frame(frameType.settings, 0, 0));
  }

  send(...parts: readonly Uint8Array[]): void {
    if (!this.#socket.destroyed) this.#socket.write(Buffer.concat(parts));
  }

  /** The same over and over, as fast as it is taken, until nobody takes it any more; it should stay open. */
  async sendForEver(part: Uint8Array): Promise<void> {
    while (!this.#socket.destroyed) {
      if (this.#socket.write(part)) await new Promise((resolve) => setImmediate(resolve));
      else await once(this.#socket, "drain").catch(() => {});
    }
  }

  pause(): void {
    this.#socket.pause();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The first frame of the type, and of the stream if one is named, that came, or comes. */
  async next(type: number, id?: number): Promise<RawFrame> {
    for (;;) {
      const found = this.frames.find(
        (each) => each.type === type && (id === undefined || each.id === id),
      );
      if (found !== undefined) return found;
      if (this.hasEnded) throw new Error(`the connection ended without a frame of type ${type}`);
      await Promise.race([once(this.#socket, "data"), once(this.#socket, "close")]);
    }
  }

  /** Nothing more is sent. */
  finish(): void {
    this.#socket.end();
  }

  async ended(): Promise<void> {
    while (!this.hasEnded) await once(this.#socket, "close");
  }

  #onData(data: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, data]);
    while (this.#rest.length >= 9) {
      const end = 9 + this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < end) return;
      this.frames.push({
        type: this.#rest[3] ?? 0,
        flags: this.#rest[4] ?? 0,
        id: this.#rest.readUInt32BE(5),
        payload: this.#rest.subarray(9, end),
      });
      this.#rest = this.#rest.subarray(end);
    }
  }
}

function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}
