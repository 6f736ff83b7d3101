/**
 * A management server to embed: real gRPC, aggregated and by type, state of the world and delta, one set of
 * resources for every client. For demonstrations, tests and small installations; it authenticates nobody, so it listens
 * on loopback unless told otherwise.
 */
import { Server, ServerCredentials, status, type ServerDuplexStream } from "@grpc/grpc-js";
import { once } from "node:events";
import { messageOf } from "../shared/common/errors.ts";
import {
  aggregatedDiscovery,
  discoveryServiceOf,
  type BytesMethod,
} from "../control/proto/discovery-services.ts";
import type { ServedResource } from "./discovery-wire.ts";
import { encodeResponse, type PlannedResponse } from "./planned-response.ts";
import { servedTypeOf, servedTypes, type ServedType } from "./resource-types.ts";
import { versionOf } from "./resource-version.ts";
import { deltaSession, sotwSession, type Session, type SessionOptions } from "./session.ts";
import type { Answer, Verdict } from "./verdict.ts";

export interface ManagementServerOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly address?: string;
  /** One line for each event worth telling. */
  readonly log?: (line: string) => void;
}

/** How one client took the resources of one type. */
export interface ClientVerdict {
  readonly nodeId: string;
  readonly typeUrl: string;
  readonly verdict: Verdict;
}

export class ManagementServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #log: (line: string) => void;
  readonly #resources = new Map<string, readonly ServedResource[]>();
  readonly #sessions = new Map<Session, ServerDuplexStream<Buffer, Buffer>>();
  #waiting: (() => void)[] = [];
  #clientsSeen = 0;

  static async start(options: ManagementServerOptions = {}): Promise<ManagementServer> {
    const { address = "127.0.0.1:0", log = () => {} } = options;
    const server = new Server({ "grpc.max_receive_message_length": -1 });
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
    return new ManagementServer(server, await promise, log);
  }

  private constructor(server: Server, port: number, log: (line: string) => void) {
    this.#server = server;
    this.port = port;
    this.#log = log;
    this.#addService();
    for (const { typeUrl } of servedTypes) this.#addService(typeUrl);
  }

  /** Replaces all resources of one type and pushes the difference to every client. */
  setResources(typeUrl: string, resources: readonly ServedResource[]): void {
    this.#resources.set(typeUrl, resources);
    for (const [session, stream] of this.#sessions) write(stream, session.push());
  }

  /** Replaces the resources of all types, in the order that is safe; gives the types that changed. */
  setAll(content: ReadonlyMap<string, readonly ServedResource[]>): readonly ServedType[] {
    return servedTypes.filter(({ typeUrl, shortName }) => {
      const before = this.versionOf(typeUrl);
      const resources = this.#keepingEqual(typeUrl, content.get(typeUrl) ?? []);
      this.setResources(typeUrl, resources);
      const version = this.versionOf(typeUrl);
      if (version !== before)
        this.#log(`push ${shortName} ${version}: ${resources.length} resources`);
      return version !== before;
    });
  }

  resourcesOf(typeUrl: string): readonly ServedResource[] {
    return this.#resources.get(typeUrl) ?? [];
  }

  /** The version of all resources of a type: a hash of their content. */
  versionOf(typeUrl: string): string {
    return versionOf(this.resourcesOf(typeUrl));
  }

  /** What every connected client last said, by client and type. */
  verdicts(): readonly ClientVerdict[] {
    return [...this.#sessions.keys()].flatMap((session) =>
      servedTypes.flatMap(({ typeUrl }) => {
        const verdict = session.verdictOn(typeUrl);
        return verdict ? [{ nodeId: session.node.id, typeUrl, verdict }] : [];
      }),
    );
  }

  /** Settles when at least one client asked for the type and all that did have answered the last push. */
  async awaitAnswer(typeUrl: string): Promise<readonly ClientVerdict[]> {
    for (;;) {
      const verdicts = this.verdicts().filter((verdict) => verdict.typeUrl === typeUrl);
      const isOpen = verdicts.some(({ verdict }) => verdict.kind === "waiting");
      if (verdicts.length > 0 && !isOpen) return verdicts;
      await this.nextEvent();
    }
  }

  /** Streams that were ever opened. */
  get clientsSeen(): number {
    return this.#clientsSeen;
  }

  get clientCount(): number {
    return this.#sessions.size;
  }

  /** Ends every stream with UNAVAILABLE and goes on listening: clients have to come back. */
  dropStreams(): void {
    for (const stream of this.#sessions.values()) endWith(stream, status.UNAVAILABLE, "dropped");
  }

  /** Sends bytes of the caller's choice to every client, for tests of what clients make of them. */
  sendRaw(message: Buffer): void {
    for (const stream of this.#sessions.values()) stream.write(message);
  }

  /** Settles when everything that was pushed has been handed to the transport of its client. */
  async flushed(): Promise<void> {
    for (const stream of this.#sessions.values())
      if (stream.writableNeedDrain) await once(stream, "drain");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    this.#sessions.clear();
    this.#announce();
    await Promise.resolve();
  }

  /** Equal resources keep their bytes' identity, by which it is known that a client has them. */
  #keepingEqual(typeUrl: string, resources: readonly ServedResource[]): readonly ServedResource[] {
    const known = new Map(this.resourcesOf(typeUrl).map((resource) => [resource.name, resource]));
    return resources.map((resource) => {
      const old = known.get(resource.name);
      return old && Buffer.compare(old.bytes, resource.bytes) === 0 ? old : resource;
    });
  }

  /** Of one type, or the aggregated one. */
  #addService(typeUrl?: string): void {
    const service = typeUrl === undefined ? aggregatedDiscovery() : discoveryServiceOf(typeUrl);
    if (!service) return;
    const { stream, delta } = service;
    type Handler = (stream: ServerDuplexStream<Buffer, Buffer>) => void;
    const serve =
      (make: (options: SessionOptions) => Session): Handler =>
      (call) =>
        this.#serve(call, make({ typeUrl, resourcesFor: (type) => this.#resources.get(type) }));
    const definition: Record<string, BytesMethod> = { stream, delta };
    this.#server.addService(definition, {
      stream: serve(sotwSession),
      delta: serve(deltaSession),
    });
  }

  #serve(stream: ServerDuplexStream<Buffer, Buffer>, session: Session): void {
    this.#sessions.set(session, stream);
    this.#clientsSeen++;
    this.#announce();
    stream.on("data", (message: Buffer) => {
      try {
        const { typeUrl, answer, responses } = session.receive(message);
        if (answer) this.#onAnswer(session, typeUrl, answer);
        write(stream, responses);
      } catch (thrown) {
        endWith(stream, status.INVALID_ARGUMENT, messageOf(thrown));
      }
      this.#announce();
    });
    const end = (): void => {
      if (!this.#sessions.delete(session)) return;
      this.#log(`${session.node.id || "a client"} is gone`);
      this.#announce();
    };
    stream.on("end", () => {
      stream.end();
      end();
    });
    stream.on("cancelled", end);
    stream.on("error", end);
    stream.on("close", end);
  }

  #onAnswer({ node }: Session, typeUrl: string, answer: Answer): void {
    const { shortName } = servedTypeOf(typeUrl);
    if (answer.kind === "acked") this.#log(`${node.id} ACK ${shortName} ${answer.version}`);
    else this.#log(`${node.id} NACK ${shortName} ${answer.version}: ${answer.error}`);
  }

  /** Settles when a client comes, goes or says something. */
  nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #announce(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}

function write(
  stream: ServerDuplexStream<Buffer, Buffer>,
  responses: readonly PlannedResponse[],
): void {
  for (const response of responses) stream.write(encodeResponse(response));
}

/** `destroy` would leave the client waiting: only this event makes the library send a status. */
function endWith(stream: ServerDuplexStream<Buffer, Buffer>, code: status, details: string): void {
  stream.emit("error", { code, details });
}
