/** A discovery stream whose client is the test: it writes requests and reads responses as bytes, and follows no rule. */
import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import { writeDeltaRequest } from "../../src/control/xds/delta-request.ts";
import { writeDiscoveryRequest } from "../../src/control/xds/discovery-request.ts";
import { readDeltaResponse } from "../../src/control/xds/delta-response.ts";
import {
  readDiscoveryResponse,
  type DiscoveryResponse,
} from "../../src/control/xds/discovery-response.ts";
import type { BytesMethod } from "../../src/control/proto/discovery-services.ts";
import { typeUrlOf } from "./session-stage.ts";

/** How a stream ended. */
export interface StreamEnd {
  readonly code: number;
  readonly details: string;
}

const node = Buffer.of(10, 3, ...Buffer.from("raw"));

export class RawXdsClient implements Disposable {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #arrived: Buffer[] = [];
  #end: StreamEnd | undefined;
  #waiting: (() => void)[] = [];

  constructor(port: number, method: Pick<BytesMethod, "path">) {
    // A pool of its own: what happens to one connection must not happen to another test's.
    const options = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0 };
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options);
    const same = (bytes: Buffer): Buffer => bytes;
    this.#stream = this.#client.makeBidiStreamRequest(method.path, same, same);
    this.#stream.on("data", (message: Buffer) => {
      this.#arrived.push(message);
      this.#announce();
    });
    this.#stream.on("error", ({ code, details }: ServiceError) => this.#ended({ code, details }));
    this.#stream.on("end", () => this.#ended({ code: 0, details: "" }));
  }

  ask(type: string, said: Partial<Parameters<typeof writeDiscoveryRequest>[0]> = {}): void {
    const blank = { version: "", node, resourceNames: [], nonce: "", error: undefined };
    this.send(writeDiscoveryRequest({ ...blank, typeUrl: typeUrlOf(type), ...said }));
  }

  askDelta(type: string, said: Partial<Parameters<typeof writeDeltaRequest>[0]> = {}): void {
    const lists = { subscribe: [], unsubscribe: [], initialVersions: new Map<string, string>() };
    const blank = { node, ...lists, nonce: "", error: undefined };
    this.send(writeDeltaRequest({ ...blank, typeUrl: typeUrlOf(type), ...said }));
  }

  send(bytes: Uint8Array): void {
    this.#stream.write(Buffer.from(bytes));
  }

  /** The next message. Throws if the stream ends before it. */
  async next(): Promise<Buffer> {
    for (;;) {
      const message = this.#arrived.shift();
      if (message) return message;
      if (this.#end) throw new Error(`the stream has ended: ${JSON.stringify(this.#end)}`);
      await this.#event();
    }
  }

  async response(): Promise<DiscoveryResponse> {
    const read = readDiscoveryResponse(await this.next());
    if (!read.ok) throw new Error(read.error);
    return read.value;
  }

  async deltaResponse(): Promise<DiscoveryResponse> {
    const read = readDeltaResponse(await this.next());
    if (!read.ok) throw new Error(read.error);
    return read.value;
  }

  /** How the stream ends. */
  async end(): Promise<StreamEnd> {
    while (!this.#end) await this.#event();
    return this.#end;
  }

  /** Messages that are there and not taken. */
  get waiting(): number {
    return this.#arrived.length;
  }

  [Symbol.dispose](): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #ended(end: StreamEnd): void {
    this.#end ??= end;
    this.#announce();
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #announce(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
