/**
 * Everything that the server serves over gRPC: discovery, aggregated and by type, in both variants; whether it serves;
 * and what. A stream's far end is a `ClientStream`; here are only the wires.
 */
import {
  Server,
  ServerCredentials,
  type ConnectionInjector,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import { once } from "node:events";
import type { Clock } from "../shared/common/clock.ts";
import {
  aggregatedDiscovery,
  type BytesMethod,
  type DiscoveryService,
  discoveryServiceOf,
} from "../control/proto/discovery-services.ts";
import type { ProtoRegistry } from "../control/proto/proto-registry.ts";
import { addReflectionService, reflectionServices } from "../control/proto/reflection-service.ts";
import type { StreamWire } from "./client-stream.ts";
import { Connections } from "./connections.ts";
import { addHealthService, healthService } from "./health-service.ts";
import type { ListenAddress } from "./listen-address.ts";
import { servedTypes } from "./resource-types.ts";
import type { ServerTls } from "./server-tls.ts";
import { deltaSession, sotwSession, type Session, type SessionOptions } from "./session.ts";

/** What a client opened, and how it is spoken to. */
export interface OpenedStream {
  readonly makeSession: (options: SessionOptions) => Session;
  /** Of a stream of one type; `undefined`: aggregated. */
  readonly typeUrl: string | undefined;
  readonly wire: StreamWire;
}

export interface StreamReader {
  received(message: Uint8Array): void;
  closed(): void;
}

export interface DiscoveryEndpointOptions {
  readonly address: ListenAddress;
  readonly clock: Clock;
  readonly protos: ProtoRegistry;
  /** Bytes in a second that a new connection may be written to. */
  readonly rate: () => number | undefined;
  /** Undefined: in plain text. */
  readonly tls: ServerTls | undefined;
  readonly opened: (stream: OpenedStream) => StreamReader;
}

type Call = ServerDuplexStream<Buffer, Buffer>;

/** Of 10,000 resources the names and versions are about 600 KiB. */
const requestBytesMax = 64 << 20;
/** After a GOAWAY: what is open may go on for so long. */
const goAwayGraceMs = 10_000;

export class DiscoveryEndpoint implements AsyncDisposable {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #connections: Connections;
  readonly #calls = new Set<Call>();

  static async listen(options: DiscoveryEndpointOptions): Promise<DiscoveryEndpoint> {
    const server = new Server({ "grpc.max_receive_message_length": requestBytesMax });
    // What comes in is plain text by then.
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const connections = await Connections.listen(injector, options);
    return new DiscoveryEndpoint(server, injector, connections, options);
  }

  private constructor(
    server: Server,
    injector: ConnectionInjector,
    connections: Connections,
    options: DiscoveryEndpointOptions,
  ) {
    this.#server = server;
    this.#injector = injector;
    this.#connections = connections;
    const names = [undefined, ...servedTypes.map(({ typeUrl }) => typeUrl)].flatMap((typeUrl) => {
      const service = typeUrl === undefined ? aggregatedDiscovery() : discoveryServiceOf(typeUrl);
      return service ? [this.#addDiscovery(service, typeUrl, options.opened)] : [];
    });
    const services = new Set([...names, healthService, ...reflectionServices]);
    addHealthService(server, services, options.protos);
    addReflectionService(server, services, options.protos);
  }

  get port(): number {
    return this.#connections.port;
  }

  /** Tells every connection to open another, and closes it in the end. */
  goAway(): void {
    this.#injector.drain(goAwayGraceMs);
  }

  resetConnections(): void {
    this.#connections.resetAll();
  }

  /** Settles when everything that was sent has been handed to the transport of its client. */
  async flushed(): Promise<void> {
    for (const call of this.#calls) if (call.writableNeedDrain) await once(call, "drain");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    this.#injector.destroy();
    await this.#connections[Symbol.asyncDispose]();
  }

  /** Gives the full name of the service. */
  #addDiscovery(
    { stream, delta }: DiscoveryService,
    typeUrl: string | undefined,
    opened: DiscoveryEndpointOptions["opened"],
  ): string {
    const serve =
      (makeSession: OpenedStream["makeSession"]) =>
      (call: Call): void =>
        this.#serve(call, opened({ makeSession, typeUrl, wire: this.#wireOf(call) }));
    const definition: Record<string, BytesMethod> = { delta, ...(stream && { stream }) };
    this.#server.addService(definition, { stream: serve(sotwSession), delta: serve(deltaSession) });
    return delta.path.split("/")[1] ?? "";
  }

  #serve(call: Call, reader: StreamReader): void {
    this.#calls.add(call);
    const end = (): void => {
      if (this.#calls.delete(call)) reader.closed();
    };
    call.on("data", (message: Buffer) => reader.received(message));
    call.on("end", () => {
      call.end();
      end();
    });
    for (const event of ["cancelled", "error", "close"]) call.on(event, end);
  }

  #wireOf(call: Call): StreamWire {
    return {
      send: (message) => void call.write(message),
      // `destroy` would leave the client waiting: only this event makes the library send a status.
      end: (code, details) => void call.emit("error", { code, details }),
      reset: () => this.#connections.reset(call.getPeer()),
      goAway: () => this.goAway(),
    };
  }
}
