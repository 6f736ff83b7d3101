/**
 * A delta server that a test scripts, aggregated and of clusters alone: it says what each name leads to, when it is asked for it. Unlike the
 * embedded one it knows aliases, and how to say that there is no such thing, in every way that servers have.
 */
import assert from "node:assert/strict";
import { Server, ServerCredentials, status, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  aggregatedDiscovery,
  discoveryServiceOf,
} from "../../src/control/proto/discovery-services.ts";
import { type ReadDeltaRequest, readDeltaRequest } from "../../src/xds-server/delta-wire.ts";
import { bytesOf } from "./config-tools.ts";

/** `envoy.service.discovery.v3.Resource` in proto3 JSON; without `resource`: there is none of the name. */
export interface WrappedResource {
  readonly name: string;
  readonly version?: string;
  readonly aliases?: readonly string[];
  readonly resource?: object;
}

export interface DeltaAnswer {
  readonly resources?: readonly WrappedResource[];
  readonly removed_resources?: readonly string[];
}

/** What to say to a subscription to `names` (`*`: to everything); undefined: nothing, for now. */
export type Resolve = (typeUrl: string, names: readonly string[]) => DeltaAnswer | undefined;

export class DeltaServer implements AsyncDisposable {
  readonly port: number;
  /** Every request that came, in order. */
  readonly requests: ReadDeltaRequest[] = [];
  /** Methods that were called, in order: the aggregated one, or that of clusters alone. */
  readonly paths: string[] = [];
  resolve: Resolve;
  readonly #server: Server;
  readonly #streams = new Set<ServerDuplexStream<Buffer, Buffer>>();
  /** Types that were asked for on a stream. */
  readonly #asked = new WeakMap<object, Set<string>>();
  #nonce = 0;
  #watchers: (() => void)[] = [];

  static async start(resolve: Resolve): Promise<DeltaServer> {
    const server = new Server();
    const { promise, resolve: bound, reject } = Promise.withResolvers<number>();
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else bound(port);
    });
    return new DeltaServer(server, await promise, resolve);
  }

  private constructor(server: Server, port: number, resolve: Resolve) {
    this.#server = server;
    this.port = port;
    this.resolve = resolve;
    const clusters = discoveryServiceOf("type.googleapis.com/envoy.config.cluster.v3.Cluster");
    assert(clusters);
    for (const { delta } of [aggregatedDiscovery(), clusters])
      server.addService(
        { delta },
        { delta: (stream: ServerDuplexStream<Buffer, Buffer>) => this.#serve(stream, delta.path) },
      );
  }

  /** `127.0.0.1:18000`. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** On every stream that asked for the type; resolves when the last of them has answered. */
  async push(typeUrl: string, answer: DeltaAnswer): Promise<void> {
    for (const stream of this.#streams)
      if (this.#asked.get(stream)?.has(typeUrl)) this.#send(stream, typeUrl, answer);
    const nonce = String(this.#nonce);
    await this.until(() => this.requests.some((request) => request.nonce === nonce));
  }

  /** Clients have to come back. */
  dropStreams(): void {
    for (const stream of this.#streams)
      stream.emit("error", { code: status.UNAVAILABLE, details: "dropped" });
  }

  /** Names of a type that were ever subscribed to, in order. */
  subscribed(typeUrl: string): readonly string[] {
    return this.requests.flatMap((each) => (each.typeUrl === typeUrl ? each.subscribe : []));
  }

  unsubscribed(typeUrl: string): readonly string[] {
    return this.requests.flatMap((each) => (each.typeUrl === typeUrl ? each.unsubscribe : []));
  }

  /** Errors of the NACKs that came. */
  get nacks(): readonly string[] {
    return this.requests.flatMap(({ error }) => error ?? []);
  }

  /** Looked at after each request. */
  async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue())
      await new Promise<void>((wake) => {
        this.#watchers.push(wake);
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    await Promise.resolve();
  }

  #serve(stream: ServerDuplexStream<Buffer, Buffer>, path: string): void {
    this.paths.push(path);
    this.#streams.add(stream);
    stream.on("data", (message: Buffer) => this.#receive(stream, readDeltaRequest(message)));
    stream.on("error", () => {});
    stream.on("close", () => this.#streams.delete(stream));
    stream.on("end", () => stream.end());
  }

  #receive(stream: ServerDuplexStream<Buffer, Buffer>, request: ReadDeltaRequest): void {
    this.requests.push(request);
    const types = this.#asked.get(stream) ?? new Set();
    const isImplied = !types.has(request.typeUrl) && request.subscribe.length === 0;
    this.#asked.set(stream, types.add(request.typeUrl));
    const names = isImplied ? ["*"] : request.subscribe;
    const answer = names.length > 0 ? this.resolve(request.typeUrl, names) : undefined;
    if (answer) this.#send(stream, request.typeUrl, answer);
    for (const wake of this.#watchers.splice(0)) wake();
  }

  #send(
    stream: ServerDuplexStream<Buffer, Buffer>,
    typeUrl: string,
    { resources = [], ...answer }: DeltaAnswer,
  ): void {
    const nonce = String(++this.#nonce);
    const versioned = resources.map((resource) => ({ version: nonce, ...resource }));
    const message = { type_url: typeUrl, nonce, system_version_info: nonce, ...answer };
    stream.write(
      Buffer.from(
        bytesOf(
          "envoy.service.discovery.v3.DeltaDiscoveryResponse",
          JSON.stringify({ ...message, resources: versioned }),
        ),
      ),
    );
  }
}
