/** A host of HTTP/2 that says to each request what a script says, frame by frame: what no library would say. */
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { clientPreface, flag, frameType } from "../../src/data/http/http2/frames.ts";
import { frame, type RawFrame } from "./raw-http2.ts";

/** What a script has of the connection that its request came by. */
export interface HostConnection {
  /** Of this request. */
  readonly id: number;
  /** Of connections to this host, from 1. */
  readonly connection: number;
  /** Of requests to this host, from 1. */
  readonly number: number;
  readonly send: (...frames: readonly Uint8Array[]) => void;
  /** FIN, or RST. */
  readonly end: () => void;
  readonly reset: () => void;
}

export type HostScript = (connection: HostConnection) => void;

export class ScriptedHttp2Host implements AsyncDisposable {
  readonly frames: RawFrame[] = [];
  connections = 0;
  requests = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #hello: Buffer;
  readonly #script: HostScript;
  readonly #waits: boolean;

  private constructor(script: HostScript, hello: Buffer, waits: boolean) {
    this.#script = script;
    this.#hello = hello;
    this.#waits = waits;
    this.#server = net.createServer((socket) => this.#serve(socket));
  }

  /** `hello`: what it says first, in place of empty SETTINGS. `waits`: the script is for the end of a request, not its head. */
  static async start(
    script: HostScript,
    hello = frame(frameType.settings, 0, 0),
    { waits = false } = {},
  ): Promise<ScriptedHttp2Host> {
    const host = new ScriptedHttp2Host(script, hello, waits);
    host.#server.listen(0, "127.0.0.1");
    await once(host.#server, "listening");
    return host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }

  #serve(socket: net.Socket): void {
    const connection = ++this.connections;
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.write(this.#hello);
    let rest: Buffer = Buffer.alloc(0);
    let skip = clientPreface.length;
    socket.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      if (rest.length < skip) return;
      rest = rest.subarray(skip);
      skip = 0;
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const end = 9 + rest.readUIntBE(0, 3);
        const { 3: type = 0, 4: flags = 0 } = rest;
        const read = { type, flags, id: rest.readUInt32BE(5), payload: rest.subarray(9, end) };
        rest = rest.subarray(end);
        this.frames.push(read);
        this.#onFrame(socket, connection, read);
      }
    });
  }

  #onFrame(socket: net.Socket, connection: number, { type, flags, id }: RawFrame): void {
    if (type === frameType.settings && (flags & 1) === 0)
      socket.write(frame(frameType.settings, 1, 0));
    const mayEnd = type === frameType.headers || type === frameType.data;
    const isDue = this.#waits
      ? mayEnd && (flags & flag.endStream) !== 0
      : type === frameType.headers;
    if (!isDue) return;
    this.requests++;
    this.#script({
      id,
      connection,
      number: this.requests,
      send: (...frames) => void socket.write(Buffer.concat(frames)),
      end: () => void socket.end(),
      reset: () => void socket.resetAndDestroy(),
    });
  }
}
