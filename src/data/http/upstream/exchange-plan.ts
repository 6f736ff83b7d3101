/** What an exchange is told to do, and by whom: the router's part of a request. */
import type { ClusterAction } from "../../../shared/config/route-config.ts";
import type { Metadata } from "../../../shared/http-filter/http-filter.ts";
import type { ResponseFlag } from "../../network/stream-info.ts";
import type { HostRequest, UpstreamCluster, UpstreamHost } from "../../upstream/cluster-table.ts";
import type { Redirect } from "../request/redirect-trail.ts";
import type { RequestInfo } from "../request/request-info.ts";
import type { ExchangeFailure } from "./exchange-failure.ts";
import type { RequestForm, ResponseBody } from "./upstream-request.ts";

export interface ExchangeOwner {
  readonly info: RequestInfo;
  /** The client takes no more for now: what comes from the upstream must wait. */
  readonly isOutputFull: boolean;
  onResponseHead(body: ResponseBody): void;
  /** Whether the response whose head was parsed last leads elsewhere, and is followed: then `onRedirected` is next. */
  redirect(): Redirect;
  onRedirected(): void;
  onResponseBody(start: number, end: number, isEnd: boolean): void;
  onResponseTrailers(start: number, end: number): void;
  onResponseMetadata(metadata: Metadata): void;
  /** There will be no response; nothing was forwarded. */
  onExchangeFailed(failure: ExchangeFailure): void;
  /** The response broke off after its head was forwarded. */
  onResponseBroken(flag: ResponseFlag, details: string): void;
  /** The rest of the request cannot be taken for now. */
  setRequestReading(on: boolean): void;
  /** Ask `onDeadline` by then. */
  atLatest(dueMs: number): void;
}

/** What the router knows of a request when it sends it. */
export interface ExchangePlan extends RequestForm {
  readonly cluster: UpstreamCluster;
  readonly action: Pick<ClusterAction, "priority" | "retryPolicy">;
  /** From the end of the request; 0: none. */
  readonly timeoutMs: number;
  /** Chosen already, since the head names it; undefined: choose. */
  readonly firstHost: UpstreamHost | undefined;
  readonly hostRequest: HostRequest | undefined;
  /** Repeating it does no harm (RFC 9110 §9.2.2), and it has no body. */
  readonly isRepeatable: boolean;
  /** Set: what it carries goes to the host in TCP, as it is, behind these bytes. */
  readonly tunnelPreface: Uint8Array | undefined;
  /** Its body has no length. */
  readonly isChunked: boolean;
  /** What came before it could be sent. */
  readonly metadata: readonly Metadata[];
}
