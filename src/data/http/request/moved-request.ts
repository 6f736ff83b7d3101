/**
 * A request that was granted a tunnel, between two processes: what the next one is to know of it, and how it goes on there.
 *
 * What a newcomer would get wrong: it is one request. Whoever lets it go neither counts its end nor logs it, and whoever
 * takes it counts no beginning.
 */
import {
  type UpgradedConnection,
  type UpgradedRequest,
  type UpgradeCount,
  type UpgradeInstant,
  type UpgradeText,
  upgradeCounts,
  upgradeInstants,
  upgradeTexts,
} from "../../../shared/protocol/moved-connection.ts";
import type { UpstreamHost } from "../../upstream/cluster-table.ts";
import { never } from "../deadline-timer.ts";
import type { HttpContext } from "../http-context.ts";
import type { Exchange } from "../upstream/exchange.ts";
import { poolOf } from "../upstream/http-pool.ts";
import { TcpTunnel } from "../upstream/tcp-tunnel.ts";
import type { Tunnel, UpstreamConnection, UpstreamRequest } from "../upstream/upstream-request.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import { notYet, type RequestInfo } from "./request-info.ts";
import type { RequestTimes } from "./request-times.ts";

/** Of one `ActiveRequest`. */
export interface RequestParts {
  readonly context: HttpContext;
  readonly info: RequestInfo;
  readonly outgoing: OutgoingRequest;
  readonly exchange: Exchange;
  readonly times: RequestTimes;
}

export interface ToldRequest {
  readonly request: UpgradedRequest;
  /** The connection that goes with it. */
  readonly tunnel: Tunnel;
}

/** Details of one whose host the next process does not know any more. */
export const hostGone = "upstream_reset_after_response_started{connection_termination}";

/** Undefined: something of it is known here alone, and it ends here. */
export function tellRequest(parts: RequestParts): ToldRequest | undefined {
  const { context, info, outgoing, exchange } = parts;
  const { tunnel } = exchange;
  const webSocket = outgoing.webSocket?.progress;
  const isLeaving = outgoing.webSocket !== undefined && webSocket === undefined;
  if (tunnel === undefined || isLeaving || info.responseFlags.length > 0) return undefined;
  const request = {
    upgradeType: outgoing.upgradeType,
    upstreamKind: tunnel.kind,
    priority: outgoing.priority,
    limits: limitsOf(parts),
    texts: textsOf(info),
    counts: countsOf(info),
    ages: agesOf(info, context.reactor.nowMs),
    forwardedAddress: info.forwardedAddress,
    requestFields: context.requestCapture.entries(info.requestValues),
    responseFields: context.responseCapture.entries(info.responseValues),
    webSocket,
  };
  return { request, tunnel };
}

/** False: its host is not here any more, though it was when it was asked for. */
export function resumeRequest(parts: RequestParts, moved: UpgradedConnection): boolean {
  const { context, info, outgoing, exchange, times } = parts;
  const { nowMs } = context.reactor;
  const { request } = moved;
  restoreInfo(parts, moved);
  times.lastActivityMs = nowMs - request.limits.quietMs;
  const cluster = context.worker.clusters.get(moved.cluster);
  const host = cluster?.hostAt(moved.host);
  if (!cluster || !host) {
    context.reactor.discard(moved.upstream);
    return false;
  }
  info.upstreamCluster = cluster.config.name;
  outgoing.goOn(cluster, request, (upstream) => openTunnel(host, parts.context, moved, upstream));
  info.keepAddresses();
  const { tryIdleMs, tryEndsInMs } = request.limits;
  exchange.times.tryIdleMs = tryIdleMs;
  exchange.times.tryIdleAtMs = tryIdleMs > 0 ? times.lastActivityMs + tryIdleMs : never;
  exchange.times.tryEndAtMs = tryEndsInMs === undefined ? never : nowMs + tryEndsInMs;
  return true;
}

/** Whatever the breakers say: another process has opened it within its own. */
function openTunnel(
  host: UpstreamHost,
  { upstream: environment }: HttpContext,
  { upstream: descriptor, upstreamAgeMs: ageMs, request }: UpgradedConnection,
  waiting: UpstreamRequest,
): UpstreamConnection {
  const connected = { descriptor, ageMs };
  host.cluster.breakers.acquire("connections");
  return request.upstreamKind === "tcp"
    ? new TcpTunnel(host, environment, waiting, connected)
    : poolOf(host, environment, false).adopt(waiting, connected);
}

function restoreInfo({ context, info }: RequestParts, moved: UpgradedConnection): void {
  const { texts, counts, ages, forwardedAddress, ...fields } = moved.request;
  const { nowMs } = context.reactor;
  for (const name of upgradeTexts) info[name] = texts[name];
  for (const name of upgradeCounts) info[name] = counts[name];
  for (const name of upgradeInstants) {
    const age = ages[name];
    info[name] = age === undefined ? notYet : nowMs - age;
  }
  info.bytesReceived = moved.bytesReceived;
  info.bytesSent = moved.bytesSent;
  if (forwardedAddress) info.trustForwardedAddress(forwardedAddress);
  const { requestCapture, responseCapture } = context;
  for (const [name, value] of fields.requestFields)
    requestCapture.set(info.requestValues, name, value);
  for (const [name, value] of fields.responseFields)
    responseCapture.set(info.responseValues, name, value);
}

function limitsOf(parts: RequestParts): UpgradedRequest["limits"] {
  const { context, outgoing, exchange, times } = parts;
  const { nowMs } = context.reactor;
  const { tryIdleMs, tryEndAtMs } = exchange.times;
  return {
    quietMs: nowMs - times.lastActivityMs,
    idleMs: outgoing.idleTimeoutMs,
    durationMs: outgoing.limits.durationMs,
    tryIdleMs,
    tryEndsInMs: tryEndAtMs === never ? undefined : Math.max(0, tryEndAtMs - nowMs),
  };
}

function textsOf(info: RequestInfo): UpgradedRequest["texts"] {
  const texts: Partial<Record<UpgradeText, string>> = {};
  for (const name of upgradeTexts) {
    const text = info[name];
    if (text !== undefined) texts[name] = text;
  }
  return texts;
}

function countsOf(info: RequestInfo): UpgradedRequest["counts"] {
  const entries = upgradeCounts.map((name) => [name, info[name]]);
  return Object.fromEntries(entries) as Record<UpgradeCount, number>;
}

function agesOf(info: RequestInfo, nowMs: number): UpgradedRequest["ages"] {
  const ages: Partial<Record<UpgradeInstant, number>> = {};
  for (const name of upgradeInstants) if (info[name] !== notYet) ages[name] = nowMs - info[name];
  return ages;
}
