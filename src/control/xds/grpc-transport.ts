/**
 * Discovery over gRPC. Each stream has a channel of its own, because a channel that failed would wait by
 * its own back-off and refuse calls meanwhile: two back-offs in a row, and only one of them ours.
 */
import {
  Client,
  credentials,
  InterceptingCall,
  ListenerBuilder,
  Metadata,
  RequesterBuilder,
  type ChannelOptions,
  type ClientDuplexStream,
  type Interceptor,
  type StatusObject,
} from "@grpc/grpc-js";
import type { BytesMethod } from "../proto/discovery-services.ts";
import type { AdsCall, AdsCallHandlers, AdsTransport } from "./ads-transport.ts";

export interface GrpcTransportOptions {
  /** Of the service that is called: aggregated or of one type, state of the world or delta. */
  readonly method: BytesMethod;
  /** `envoy_grpc.cluster_name`, for people. */
  readonly clusterName: string;
  /** `host:port` or `unix:path`, each tried in turn; asked before each attempt. At least one. */
  readonly endpoints: () => readonly string[];
  /** `:authority` of the stream; the endpoint if empty or absent. */
  readonly authority?: string;
  /** Headers of the stream. */
  readonly initialMetadata?: readonly { readonly key: string; readonly value: string }[];
  /** HTTP/2 PING after so much silence; 0 for none. */
  readonly keepaliveTimeMs?: number;
  /** The connection is dead if a PING stays unanswered for so long. Default 20 s. */
  readonly keepaliveTimeoutMs?: number;
}

export class GrpcTransport implements AdsTransport {
  readonly #options: GrpcTransportOptions;
  readonly #metadata = new Metadata();
  #attempts = 0;

  /** Throws a message for a person if the metadata are no headers. */
  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    for (const { key, value } of options.initialMetadata ?? []) this.#metadata.add(key, value);
  }

  get server(): string {
    return `${this.#options.clusterName} ${this.#endpoint()}`;
  }

  open(handlers: AdsCallHandlers): AdsCall {
    const client = new Client(this.#endpoint(), credentials.createInsecure(), this.#channel());
    this.#attempts++;
    const { path, requestSerialize, responseDeserialize } = this.#options.method;
    const stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata.clone(),
      { interceptors: [readingOneByOne(handlers)] },
    );
    return new GrpcAdsCall(client, stream, handlers);
  }

  /** Every call owns its channel, and is cancelled by its stream. */
  [Symbol.dispose](): void {}

  #endpoint(): string {
    const endpoints = this.#options.endpoints();
    return endpoints[this.#attempts % endpoints.length] ?? "no endpoint";
  }

  #channel(): ChannelOptions {
    const { keepaliveTimeMs = 0, keepaliveTimeoutMs = 20_000, authority = "" } = this.#options;
    const keepalive: ChannelOptions = {
      "grpc.keepalive_time_ms": keepaliveTimeMs,
      "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
      "grpc.keepalive_permit_without_calls": 1,
    };
    return {
      // 10,000 listeners are 20 MB; the limit of 4 MB would end the stream at every push.
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.enable_http_proxy": 0,
      ...(keepaliveTimeMs > 0 ? keepalive : {}),
      ...(authority === "" ? {} : { "grpc.default_authority": authority }),
    };
  }
}

class GrpcAdsCall implements AdsCall {
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #isOver = false;
  #canSend = true;

  constructor(
    client: Client,
    stream: ClientDuplexStream<Buffer, Buffer>,
    handlers: AdsCallHandlers,
  ) {
    this.#client = client;
    this.#stream = stream;
    // Messages were consumed by the interceptor; reading is what lets the next one in.
    this.#stream.resume();
    this.#stream.on("error", () => {});
    this.#stream.on("drain", () => {
      this.#canSend = true;
      if (!this.#isOver) handlers.writable();
    });
    this.#stream.on("status", (status: StatusObject) => {
      if (this.#isOver) return;
      this.#close();
      handlers.ended(`${status.code}, ${status.details}`);
    });
    client.waitForReady(Infinity, (error) => {
      if (!error && !this.#isOver) handlers.connected();
    });
  }

  get canSend(): boolean {
    return this.#canSend && !this.#isOver;
  }

  send(message: Uint8Array): void {
    this.#canSend = this.#stream.write(
      Buffer.from(message.buffer, message.byteOffset, message.length),
    );
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#close();
    this.#stream.cancel();
  }

  #close(): void {
    this.#isOver = true;
    this.#client.close();
  }
}

/**
 * A readable stream reads 16 messages ahead even while paused. Here each message is handed over, and
 * the next one is asked for only when it has been dealt with.
 */
function readingOneByOne(handlers: AdsCallHandlers): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(
      nextCall(options),
      new RequesterBuilder()
        .withStart((metadata, _listener, next) => {
          const gated = new ListenerBuilder()
            .withOnReceiveMessage((message: Buffer | null, nextMessage) => {
              if (message === null) nextMessage(message);
              else void handlers.received(message).then(() => nextMessage(message));
            })
            .build();
          next(metadata, gated);
        })
        .build(),
    );
}
