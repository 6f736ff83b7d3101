/**
 * `envoy.filters.http.grpc_stats`: calls, their ends and their messages, by cluster and mostly by method.
 *
 * What a newcomer would get wrong: the status of a head and that of the trailers behind it both count, as in Envoy.
 */
import type { HttpFilterConfig } from "../../../shared/config/http-config.ts";
import type {
  Fields,
  HttpFilter,
  RequestFacts,
  ResponseFields,
} from "../../../shared/http-filter/http-filter.ts";
import { grpcCallStats } from "../../../shared/stats/stat-names.ts";
import type { StreamInfo } from "../../network/stream-info.ts";
import type { WorkerContext } from "../../network/worker-context.ts";
import { anyCall, type CallCounts } from "../../upstream/grpc-calls.ts";
import { isGrpcType } from "../grpc.ts";
import { type CallName, callOf, countStatus } from "./grpc-call.ts";
import { FrameReader } from "./grpc-frames.ts";
import type { FilterFactory } from "./http-filter.ts";

export type GrpcStatsConfig = Extract<HttpFilterConfig, { kind: "grpcStats" }>;

const requestMessages = grpcCallStats.offset("request_message_count");
const responseMessages = grpcCallStats.offset("response_message_count");
const upstreamTime = grpcCallStats.offset("upstream_rq_time");

export class GrpcStats implements FilterFactory {
  readonly #config: GrpcStatsConfig;
  readonly #worker: Pick<WorkerContext, "clusters" | "reactor">;
  readonly #listed: ReadonlySet<string>;

  constructor(config: GrpcStatsConfig, worker: Pick<WorkerContext, "clusters" | "reactor">) {
    this.#config = config;
    this.#worker = worker;
    this.#listed = new Set(config.methods === "all" ? [] : config.methods);
  }

  create({ path, clusterName }: RequestFacts, info: StreamInfo): HttpFilter {
    const cluster = this.#worker.clusters.get(clusterName);
    const call = callOf(path);
    if (cluster === undefined || call === undefined) return {};
    const { reactor } = this.#worker;
    const elapsedMs = (): number | undefined => {
      const { requestEndMs, responseStartMs } = info;
      const isMeasured = requestEndMs !== undefined && responseStartMs !== undefined;
      return isMeasured ? reactor.nowMs - requestEndMs : undefined;
    };
    const measures = this.#config.measuresUpstream ? elapsedMs : undefined;
    return new CountedCall(() => cluster.grpcCalls.of("grpc", this.#nameOf(call)), measures);
  }

  #nameOf({ service, method }: CallName): string {
    const { methods, replacesDots } = this.#config;
    if (methods === "all")
      return `${replacesDots ? service.replaceAll(".", "_") : service}.${method}`;
    return this.#listed.has(`${service}/${method}`) ? `${service}.${method}` : anyCall;
  }
}

class CountedCall implements HttpFilter {
  readonly #findCounts: () => CallCounts;
  /** From the whole request to now, of an answer by its host; undefined: nobody wants to know. */
  readonly #elapsedMs: (() => number | undefined) | undefined;
  readonly #sent = new FrameReader();
  readonly #received = new FrameReader();
  /** Undefined: the request is no gRPC. */
  #counts: CallCounts | undefined;
  #isGrpcResponse = false;

  constructor(findCounts: () => CallCounts, elapsedMs: (() => number | undefined) | undefined) {
    this.#findCounts = findCounts;
    this.#elapsedMs = elapsedMs;
  }

  decodeHeaders(fields: Fields): void {
    if (isGrpcType(fields.get("content-type"))) this.#counts = this.#findCounts();
  }

  decodeData(data: Uint8Array): void {
    const begun = this.#counts === undefined ? 0 : this.#sent.count(data);
    if (begun > 0) this.#counts?.count(requestMessages, begun);
  }

  encodeHeaders(fields: ResponseFields, isEnd: boolean): void {
    if (this.#counts === undefined) return;
    this.#isGrpcResponse = fields.status === 200 && isGrpcType(fields.get("content-type"));
    countStatus(this.#counts, fields);
    if (isEnd) this.#measure();
  }

  encodeData(data: Uint8Array): void {
    const begun = this.#isGrpcResponse ? this.#received.count(data) : 0;
    if (begun > 0) this.#counts?.count(responseMessages, begun);
  }

  encodeTrailers(fields: Fields): void {
    if (this.#counts === undefined) return;
    countStatus(this.#counts, fields);
    this.#measure();
  }

  #measure(): void {
    const elapsedMs = this.#elapsedMs?.();
    if (elapsedMs !== undefined) this.#counts?.record(upstreamTime, elapsedMs);
  }
}
