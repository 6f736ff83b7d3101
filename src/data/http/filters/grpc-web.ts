/**
 * `envoy.filters.http.grpc_web`: calls of browsers, which read no trailers, as calls of gRPC and back (the protocol is
 * gRPC's own PROTOCOL-WEB). Trailers are a last frame of the body; as text, bodies are base64.
 *
 * What a newcomer would get wrong: an answer that is no gRPC, ours among them, keeps its status. What its body says goes
 * into a field, for browsers see no body of a call that failed.
 */
import type {
  BufferedData,
  DataOutcome,
  Fields,
  FilterReply,
  HttpFilter,
  Outcome,
  RequestFacts,
  ResponseFields,
} from "../../../shared/http-filter/http-filter.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import type { CallCounts } from "../../upstream/grpc-calls.ts";
import { grpcMessage, grpcStatusOfHttp, isGrpcType } from "../grpc.ts";
import { Base64Decoder } from "./base64-decoder.ts";
import { Base64Frames } from "./base64-frames.ts";
import { callOf, countStatus } from "./grpc-call.ts";
import { frame } from "./grpc-frames.ts";
import type { FilterFactory } from "./http-filter.ts";

const binaryTypes = new Set(["application/grpc-web", "application/grpc-web+proto"]);
const textTypes = new Set(["application/grpc-web-text", "application/grpc-web-text+proto"]);
/** The flag of the frame that holds trailers. */
const trailersFlag = 0x80;
/** Of a body that goes into a field: Envoy's limit. */
const messageBytesMax = 16_384;
const nothing = new Uint8Array(0);
const dropped: BufferedData = { buffered: nothing };
const badRequest: FilterReply = {
  status: 400,
  body: "Bad gRPC-web request, invalid base64 data.",
};

export class GrpcWeb implements FilterFactory {
  readonly changesRequestBody = true;
  readonly changesResponseBody = true;
  readonly #worker: Pick<WorkerContext, "clusters">;

  constructor(worker: Pick<WorkerContext, "clusters">) {
    this.#worker = worker;
  }

  create({ path, clusterName }: RequestFacts): HttpFilter {
    const cluster = this.#worker.clusters.get(clusterName);
    const call = callOf(path);
    const findCounts = (): CallCounts | undefined =>
      call && cluster?.grpcCalls.of("grpc-web", `${call.service}.${call.method}`);
    return new WebCall(findCounts);
  }
}

type NewField = readonly [name: string, value: string];

class WebCall implements HttpFilter {
  readonly #findCounts: () => CallCounts | undefined;
  #counts: CallCounts | undefined;
  #isWeb = false;
  /** What an answer of Sluice's own says. */
  #localFields: readonly NewField[] = [];
  /** Of a request as text. */
  #decoder: Base64Decoder | undefined;
  /** Of an answer as text. */
  #encoder: Base64Frames | undefined;
  #answer: { readonly fields: ResponseFields; readonly parts: Buffer[]; bytes: number } | undefined;

  constructor(findCounts: () => CallCounts | undefined) {
    this.#findCounts = findCounts;
  }

  decodeHeaders(fields: Fields): void {
    const type = fields.get("content-type") ?? "";
    this.#isWeb = binaryTypes.has(type) || textTypes.has(type);
    if (!this.#isWeb) return;
    this.#counts = this.#findCounts();
    if (textTypes.has(type)) this.#decoder = new Base64Decoder();
    if (textTypes.has(fields.get("accept") ?? "")) this.#encoder = new Base64Frames();
    fields.set("content-type", "application/grpc");
    fields.set("te", "trailers");
    if (!fields.has("grpc-accept-encoding")) fields.set("grpc-accept-encoding", "identity");
  }

  decodeData(data: Uint8Array, isEnd: boolean): DataOutcome {
    const decoder = this.#decoder;
    if (decoder === undefined) return undefined;
    const decoded = decoder.decode(data);
    if (decoded === undefined || (isEnd && !decoder.isBetween)) return badRequest;
    return decoded;
  }

  decodeTrailers(): Outcome {
    return this.#decoder?.isBetween === false ? badRequest : undefined;
  }

  encodeHeaders(fields: ResponseFields, isEnd: boolean): Outcome {
    if (!this.#isWeb) return undefined;
    if (this.#counts) countStatus(this.#counts, fields);
    const type = fields.get("content-type") ?? "";
    const isGrpc = fields.status === 200 && (isGrpcType(type) || binaryTypes.has(type));
    fields.set("content-type", this.#answerType);
    for (const [name, value] of this.#localFields) fields.set(name, value);
    if (isEnd || isGrpc) return undefined;
    this.#answer = { fields, parts: [], bytes: 0 };
    return "buffer";
  }

  encodeData(data: Uint8Array, isEnd: boolean): DataOutcome {
    if (this.#answer !== undefined) return this.#keepAnswer(data, isEnd);
    const encoder = this.#encoder;
    if (encoder === undefined) return undefined;
    const text = encoder.encode(data);
    return isEnd ? Buffer.concat([text, encoder.end()]) : text;
  }

  encodeTrailers(fields: Fields): Uint8Array | undefined {
    if (!this.#isWeb) return undefined;
    if (this.#counts) countStatus(this.#counts, fields);
    if (this.#answer !== undefined) {
      this.#sayAnswer();
      return undefined;
    }
    const all = [...fields];
    const lines = all.map(([name, value]) => `${name}:${value}\r\n`).join("");
    for (const [name] of all) fields.delete(name);
    const bytes = frame(trailersFlag, Buffer.from(lines, "latin1"));
    if (this.#encoder === undefined) return bytes;
    return Buffer.concat([this.#encoder.end(), Buffer.from(bytes.toString("base64"), "latin1")]);
  }

  onLocalReply({ status, body = "", fields = {} }: FilterReply): FilterReply | undefined {
    if (!this.#isWeb || body === "") return undefined;
    // Written with its head: filters before this one see none of it, as in Envoy.
    this.#localFields = messageFields(status, Buffer.from(body));
    return { status, fields };
  }

  get #answerType(): string {
    return this.#encoder === undefined
      ? "application/grpc-web+proto"
      : "application/grpc-web-text+proto";
  }

  #keepAnswer(data: Uint8Array, isEnd: boolean): DataOutcome {
    const answer = this.#answer;
    if (answer !== undefined && answer.bytes < messageBytesMax) {
      const part = Buffer.from(data.subarray(0, messageBytesMax - answer.bytes));
      answer.parts.push(part);
      answer.bytes += part.length;
    }
    if (!isEnd) return dropped;
    this.#sayAnswer();
    return nothing;
  }

  #sayAnswer(): void {
    const { fields, parts = [] } = this.#answer ?? {};
    const own = messageFields(fields?.status ?? 0, Buffer.concat(parts));
    for (const [name, value] of own) fields?.set(name, value);
  }
}

function messageFields(status: number, body: Buffer): readonly NewField[] {
  const said: NewField = ["grpc-status", String(grpcStatusOfHttp(status))];
  return body.length > 0 ? [["grpc-message", grpcMessage(body)], said] : [said];
}
