/**
 * An istiod of which only the recording is left: sends its responses one by one, over real gRPC and with
 * their own versions and nonces, and keeps every request. A test says when the next one goes.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from "@grpc/grpc-js";
import {
  aggregatedDiscovery,
  type BytesMethod,
} from "../../../src/control/proto/discovery-services.ts";
import { readDeltaRequest } from "../../../src/xds-server/delta-wire.ts";
import { readDiscoveryRequest } from "../../../src/xds-server/discovery-wire.ts";
import { until } from "../../support/until.ts";
import { type Recording, type RecordedResponse, type TypeName, typeUrls } from "./recording.ts";

export interface ReceivedRequest {
  readonly type: TypeName;
  readonly nonce: string;
  readonly version: string;
  readonly names: readonly string[];
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: number;
  readonly hasNode: boolean;
  /** A NACK's reason. */
  readonly error: string | undefined;
}

export class ReplayServer implements AsyncDisposable {
  /** In the order of their coming; types that were never recorded (secrets) are not there. */
  readonly requests: ReceivedRequest[] = [];
  readonly port: number;
  readonly #server: Server;
  readonly #isDelta: boolean;
  #stream: ServerDuplexStream<Buffer, Buffer> | undefined;
  #streams = 0;
  readonly #last = new Map<TypeName, RecordedResponse>();

  static async start({ isDelta }: Recording): Promise<ReplayServer> {
    const server = new Server();
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
    return new ReplayServer(server, await promise, isDelta);
  }

  private constructor(server: Server, port: number, isDelta: boolean) {
    this.#server = server;
    this.port = port;
    this.#isDelta = isDelta;
    const { stream, delta } = aggregatedDiscovery();
    const definition: Record<string, BytesMethod> = { only: isDelta ? delta : stream };
    server.addService(definition, {
      only: (call: ServerDuplexStream<Buffer, Buffer>) => this.#serve(call),
    });
  }

  /** How many streams were opened: more than one means that a client gave up on the first. */
  get streams(): number {
    return this.#streams;
  }

  /** Whether a type was asked for, in any form. */
  hasAsked(type: TypeName): boolean {
    return this.requests.some((request) => request.type === type);
  }

  /**
   * Sends a response when istiod could have: its type was asked for, and the one before it of the type was
   * answered. It does not wait for answers of other types: Envoy's on clusters comes when they are warm.
   */
  async send(response: RecordedResponse, bytes = response.bytes): Promise<void> {
    const { type, phase } = response;
    await until(() => this.hasAsked(type), `${phase}: ${type} is asked for`);
    const last = this.#last.get(type);
    if (last) await this.answerTo(last);
    this.#last.set(type, response);
    this.#stream?.write(bytes);
  }

  /** ACK or NACK. */
  answerTo({ type, nonce, phase }: RecordedResponse): Promise<ReceivedRequest> {
    return until(
      () => this.requests.find((request) => request.type === type && request.nonce === nonce),
      `${phase}: ${type} is answered`,
    );
  }

  /** Every name that was ever asked for. */
  namesAsked(type: TypeName): ReadonlySet<string> {
    const ofType = this.requests.filter((request) => request.type === type);
    return new Set(ofType.flatMap(({ names, subscribe }) => [...names, ...subscribe]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
    await Promise.resolve();
  }

  #serve(stream: ServerDuplexStream<Buffer, Buffer>): void {
    this.#stream = stream;
    this.#streams++;
    stream.on("data", (bytes: Buffer) => {
      const request = this.#isDelta ? readDelta(bytes) : readStateOfTheWorld(bytes);
      if (request) this.requests.push(request);
    });
    stream.on("error", () => {});
    stream.on("end", () => stream.end());
  }
}

function readStateOfTheWorld(bytes: Buffer): ReceivedRequest | undefined {
  const { typeUrl, nodeId, ...rest } = readDiscoveryRequest(bytes);
  const type = typeOf(typeUrl);
  const absent = { subscribe: [], unsubscribe: [], initialVersions: 0 };
  return type && { ...rest, ...absent, type, hasNode: nodeId !== "" };
}

function readDelta(bytes: Buffer): ReceivedRequest | undefined {
  const { typeUrl, nodeId, initialVersions, ...rest } = readDeltaRequest(bytes);
  const type = typeOf(typeUrl);
  const absent = { version: "", names: [] };
  return (
    type && {
      ...rest,
      ...absent,
      type,
      initialVersions: initialVersions.size,
      hasNode: nodeId !== "",
    }
  );
}

function typeOf(typeUrl: string): TypeName | undefined {
  return (Object.keys(typeUrls) as TypeName[]).find((type) => typeUrls[type] === typeUrl);
}
