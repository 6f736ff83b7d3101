/**
 * Discovery over gRPC. Each stream has a channel of its own, because a channel that failed would wait by
 * its own back-off and refuse calls meanwhile: two back-offs in a row, and only one of them ours.
 */
import {
  Client,
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
import { EndpointRotation, type GrpcTarget } from "./endpoint-rotation.ts";
import { HandshakeSockets, watchedCredentials } from "./watched-credentials.ts";

export interface GrpcTransportOptions {
  /** Of the service that is called: aggregated or of one type, state of the world or delta. */
  readonly method: BytesMethod;
  /** Where to, in the order of preference; at least one. */
  readonly targets: readonly GrpcTarget[];
  /** HTTP/2 PING after so much silence; 0 for none. */
  readonly keepaliveTimeMs?: number;
  /** The connection is dead if a PING stays unanswered for so long. Default 20 s. */
  readonly keepaliveTimeoutMs?: number;
}

export class GrpcTransport implements AdsTransport {
  /** As in the options. */
  readonly method: BytesMethod;
  readonly #options: GrpcTransportOptions;
  readonly #rotation: EndpointRotation;
  #server: string;

  constructor(options: GrpcTransportOptions) {
    this.#options = options;
    this.method = options.method;
    this.#rotation = new EndpointRotation(options.targets);
    this.#server = this.#rotation.name;
  }

  get server(): string {
    return this.#server;
  }

  open(handlers: AdsCallHandlers): AdsCall {
    const chosen = this.#rotation.current;
    this.#server = `${this.#rotation.name} ${chosen?.endpoint ?? "no endpoint"}`;
    if (!chosen) return this.#openNone(handlers);
    const { target, endpoint } = chosen;
    const sockets = new HandshakeSockets();
    const watched = watchedCredentials(sockets, target.security?.(endpoint));
    const client = new Client(endpoint, watched, this.#channel(target));
    const noting = this.#noting(handlers);
    const { path, requestSerialize, responseDeserialize } = this.method;
    const stream = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(target),
      { interceptors: [readingOneByOne(noting)] },
    );
    return new GrpcAdsCall({ client, sockets }, stream, noting);
  }

  /** Every call owns its channel, and is cancelled by its stream. */
  [Symbol.dispose](): void {}

  /** A cluster may have no host yet, or no more: an attempt that fails like any other. */
  #openNone(handlers: AdsCallHandlers): AdsCall {
    const reason = `14, no endpoint in ${this.#rotation.name}`;
    let isOver = false;
    queueMicrotask(() => {
      if (isOver) return;
      this.#rotation.ended(false);
      handlers.ended(reason);
    });
    return {
      canSend: false,
      send: () => {},
      cancel: () => {
        isOver = true;
        this.#rotation.ended(false);
      },
    };
  }

  /** The same handlers; on the way it is noted how the endpoint did. */
  #noting(handlers: AdsCallHandlers): CallHandlers {
    let hasAnswered = false;
    return {
      connected: () => handlers.connected(),
      writable: () => handlers.writable(),
      received: (message) => {
        hasAnswered = true;
        return handlers.received(message);
      },
      ended: (reason) => {
        this.#rotation.ended(hasAnswered);
        handlers.ended(reason);
      },
      given: () => this.#rotation.ended(hasAnswered),
    };
  }

  #channel({ authority = "" }: GrpcTarget): ChannelOptions {
    const { keepaliveTimeMs = 0, keepaliveTimeoutMs = 20_000 } = this.#options;
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

function metadataOf({ initialMetadata = [] }: GrpcTarget): Metadata {
  const metadata = new Metadata();
  for (const { key, value } of initialMetadata) metadata.add(key, value);
  return metadata;
}

/** `given`: the caller has given the stream up. */
type CallHandlers = AdsCallHandlers & { given(): void };

/** A channel, and what it has opened so far. */
interface Channel {
  readonly client: Client;
  readonly sockets: HandshakeSockets;
}

class GrpcAdsCall implements AdsCall {
  readonly #handlers: CallHandlers;
  readonly #channel: Channel;
  #isConnected = false;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #isOver = false;
  #canSend = true;

  constructor(
    channel: Channel,
    stream: ClientDuplexStream<Buffer, Buffer>,
    handlers: CallHandlers,
  ) {
    this.#handlers = handlers;
    this.#channel = channel;
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
    channel.client.waitForReady(Infinity, (error) => {
      if (error || this.#isOver) return;
      this.#isConnected = true;
      handlers.connected();
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
    this.#handlers.given();
    this.#stream.cancel();
  }

  #close(): void {
    this.#isOver = true;
    const { client, sockets } = this.#channel;
    client.close();
    if (!this.#isConnected) sockets.giveUp();
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
