/**
 * `envoy.filters.http.grpc_http1_bridge`: calls over HTTP/1, whose clients read no trailers. An answer is kept until its
 * trailers are there; they go into its head, and a call that failed is 503. A request that is a bare protobuf becomes a
 * message of gRPC, and the answer's message a bare one, where the configuration says so.
 *
 * What a newcomer would get wrong: what is kept lies in the filter manager, which bounds it.
 */
import type {
  DataOutcome,
  Fields,
  HttpFilter,
  Outcome,
  RequestFacts,
  RequestFields,
  ResponseFields,
} from "../../../shared/http-filter/http-filter.ts";
import type { HttpFilterConfig } from "../../../shared/config/http-config.ts";
import { isGrpcType } from "../grpc.ts";
import { frameHeadBytes } from "./grpc-frames.ts";
import type { FilterFactory } from "./http-filter.ts";

export type GrpcHttp1BridgeConfig = Extract<HttpFilterConfig, { kind: "grpcHttp1Bridge" }>;

const protobufType = "application/x-protobuf";
const none: HttpFilter = {};

export class GrpcHttp1Bridge implements FilterFactory {
  readonly changesRequestBody: boolean;
  readonly changesResponseBody = true;
  readonly #config: GrpcHttp1BridgeConfig;

  constructor(config: GrpcHttp1BridgeConfig) {
    this.changesRequestBody = config.upgradesProtobuf;
    this.#config = config;
  }

  create({ protocol }: RequestFacts): HttpFilter {
    return protocol === "HTTP/2" ? none : new BridgedCall(this.#config);
  }
}

type Bridge = "none" | "asItIs" | "framing";

class BridgedCall implements HttpFilter {
  readonly #config: GrpcHttp1BridgeConfig;
  #bridge: Bridge = "none";
  /** The first part of the request's message, behind room for what stands in front of it: how long the whole is. */
  #first: Buffer | undefined;
  #messageBytes = 0;
  /** Of what stands in front of the response's message, bytes that are still to go. */
  #frameLeft = 0;
  #head: ResponseFields | undefined;

  constructor(config: GrpcHttp1BridgeConfig) {
    this.#config = config;
  }

  decodeHeaders(fields: RequestFields): void {
    const type = fields.get("content-type");
    if (isGrpcType(type)) this.#bridge = "asItIs";
    if (this.#config.upgradesProtobuf && type === protobufType) {
      this.#bridge = "framing";
      fields.set("content-type", "application/grpc");
      // Envoy, too, looks for a route of gRPC then; for a query that is ignored alone it does not.
      fields.clearRouteCache();
    }
    if (!this.#config.ignoresQuery || this.#bridge === "none") return;
    const queryAt = fields.path.indexOf("?");
    if (queryAt >= 0) fields.path = fields.path.slice(0, queryAt);
  }

  decodeData(data: Uint8Array, isEnd: boolean): DataOutcome {
    if (this.#bridge !== "framing") return undefined;
    this.#messageBytes += data.length;
    if (this.#first !== undefined) {
      if (!isEnd) return "buffer";
      this.#frameMessage();
      return undefined;
    }
    // Envoy does not frame what is empty.
    if (data.length === 0) return isEnd ? undefined : "buffer";
    this.#first = Buffer.alloc(frameHeadBytes + data.length);
    this.#first.set(data, frameHeadBytes);
    if (!isEnd) return { buffered: this.#first };
    this.#frameMessage();
    return this.#first;
  }

  decodeTrailers(): void {
    this.#frameMessage();
  }

  encodeHeaders(fields: ResponseFields, isEnd: boolean): Outcome {
    if (this.#bridge === "none" || isEnd) return undefined;
    this.#head = fields;
    if (isGrpcType(fields.get("content-type"))) this.#frameLeft = frameHeadBytes;
    return "buffer";
  }

  encodeData(data: Uint8Array, isEnd: boolean): DataOutcome {
    if (this.#bridge === "none") return undefined;
    if (this.#bridge === "asItIs") return isEnd ? undefined : "buffer";
    const message = data.subarray(this.#frameLeft);
    this.#frameLeft -= data.length - message.length;
    return isEnd ? message : { buffered: message };
  }

  encodeTrailers(fields: Fields): void {
    const head = this.#head;
    if (head === undefined) return;
    const status = fields.get("grpc-status");
    if (status !== undefined && !/^0+$/.test(status)) head.status = 503;
    for (const name of ["grpc-status", "grpc-message"]) {
      const value = fields.get(name);
      if (value !== undefined) head.set(name, value);
    }
    // Nobody would read them, and without them the answer has a length.
    const names = [...fields].map(([name]) => name);
    for (const name of names) fields.delete(name);
  }

  #frameMessage(): void {
    this.#first?.writeUInt32BE(this.#messageBytes, 1);
  }
}
