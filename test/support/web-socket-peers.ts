/** WebSockets by hand (RFC 6455): frames as bytes, and a host that grants every upgrade, echoes, and answers a Close. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export const opcodes = { text: 0x1, binary: 0x2, close: 0x8, ping: 0x9 } as const;
const acceptSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface WebSocketFrame {
  readonly opcode: number;
  readonly isMasked: boolean;
  /** Unmasked. */
  readonly payload: Buffer;
}

/** A whole frame; masked if a key is given. */
export function frameOf(opcode: number, payload: string | Buffer, key?: Buffer): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
  const { length } = bytes;
  const short = length < 126 ? length : length < 0x10000 ? 126 : 127;
  const extended = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0);
  if (short === 126) extended.writeUInt16BE(length);
  if (short === 127) extended.writeBigUInt64BE(BigInt(length));
  const head = Buffer.from([0x80 | opcode, short | (key ? 0x80 : 0)]);
  return Buffer.concat([head, extended, ...(key ? [key] : []), masked(bytes, key)]);
}

export function closeFrame(code: number, key?: Buffer): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frameOf(opcodes.close, payload, key);
}

/** The code that a Close says. */
export function closeCode({ payload }: WebSocketFrame): number {
  return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
}

/** Takes bytes as they come; gives back the frames that are whole with them. */
export class FrameReader {
  rest = Buffer.alloc(0);

  take(part: Uint8Array): WebSocketFrame[] {
    this.rest = Buffer.concat([this.rest, part]);
    const frames: WebSocketFrame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): WebSocketFrame | undefined {
    const [first, second] = this.rest;
    if (first === undefined || second === undefined) return undefined;
    const short = second & 0x7f;
    const headEnd = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    const isMasked = second >= 0x80;
    const start = headEnd + (isMasked ? 4 : 0);
    if (this.rest.length < start) return undefined;
    const length =
      short === 126
        ? this.rest.readUInt16BE(2)
        : short === 127
          ? Number(this.rest.readBigUInt64BE(2))
          : short;
    if (this.rest.length < start + length) return undefined;
    const key = isMasked ? this.rest.subarray(headEnd, start) : undefined;
    const payload = masked(this.rest.subarray(start, start + length), key);
    this.rest = this.rest.subarray(start + length);
    return { opcode: first & 0x0f, isMasked, payload };
  }
}

/** What a client says to ask for one. */
export const webSocketRequest = [
  "GET /chat HTTP/1.1",
  "Host: a",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "",
  "",
].join("\r\n");

export interface WebSocketHost extends AsyncDisposable {
  readonly port: number;
  readonly sockets: ReadonlySet<Socket>;
  /** Codes of the Closes that came. */
  readonly closes: readonly number[];
  /** Frames of clients that were not masked, as they have to be. */
  readonly unmasked: number;
}

export interface WebSocketHostOptions {
  /** Resolved: upgrades are granted. */
  readonly mayGrant?: Promise<void>;
  readonly answersClose?: boolean;
}

export async function startWebSocketHost(
  options: WebSocketHostOptions = {},
): Promise<WebSocketHost> {
  const sockets = new Set<Socket>();
  const closes: number[] = [];
  let unmasked = 0;
  const serve = (socket: Socket): void => {
    const reader = new FrameReader();
    const onFrame = (frame: WebSocketFrame): void => {
      if (!frame.isMasked) unmasked++;
      if (frame.opcode !== opcodes.close) {
        socket.write(frameOf(frame.opcode, frame.payload));
        return;
      }
      closes.push(closeCode(frame));
      if (options.answersClose ?? true) socket.write(frameOf(opcodes.close, frame.payload));
    };
    socket.on("data", (part: Buffer) => reader.take(part).forEach(onFrame));
    socket.on("end", () => socket.end());
  };
  const server = createServer();
  server.on("upgrade", ({ headers }: IncomingMessage, socket: Socket, head: Buffer) => {
    const key = headers["sec-websocket-key"] ?? "";
    const accept = createHash("sha1").update(`${key}${acceptSuffix}`).digest("base64");
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    void (options.mayGrant ?? Promise.resolve()).then(() => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
          `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      serve(socket);
      socket.unshift(head);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    closes,
    get unmasked() {
      return unmasked;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close().closeAllConnections();
      await once(server, "close");
    },
  };
}

function masked(bytes: Buffer, key: Uint8Array | undefined): Buffer {
  if (key === undefined) return bytes;
  return Buffer.from(bytes.map((byte, i) => byte ^ (key[i % 4] ?? 0)));
}
