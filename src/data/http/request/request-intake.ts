/**
 * What is made of a head before it is routed: its target is read, it is checked, and what logs want of it is kept.
 *
 * What one would get wrong: texts are kept of a head that is refused too, since it is logged.
 */
import type { SocketAddress } from "../../../shared/common/address.ts";
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import { trustedAddress } from "../headers/forwarding-fields.ts";
import type { HttpContext } from "../http-context.ts";
import { requestHead } from "../http1/request-head.ts";
import type { LiveConfig } from "../live-config.ts";
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { checkRequest } from "./request-checks.ts";
import type { RequestInfo } from "./request-info.ts";
import type { TargetProblem } from "./request-target.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";
import { httpStat } from "../stat-offsets.ts";

/** What was found for a request. */
export interface Found {
  readonly route: CompiledRoute | undefined;
  readonly cluster: string;
}

/** Of the head that was parsed last. The reason to refuse it, or undefined. */
export function takeIn(
  info: RequestInfo,
  context: HttpContext,
  { config, accessLogger }: LiveConfig,
  connection: DownstreamConnection,
): LocalReplyReason | undefined {
  const { requestCapture } = context;
  const problem = readTarget(context, { config }, connection);
  if (accessLogger !== undefined || !requestCapture.isEmpty) keepTexts(info, context);
  if (problem === "malformed" || problem === "authority") return problem;
  if (context.shedsRequest()) return "overload";
  const refusal = checkRequest(requestHead, context);
  if (refusal !== undefined) return refusal;
  if (problem !== "notRelative") return undefined;
  context.count(httpStat.rqNonRelativePath);
  return "notRelative";
}

/** Of the head that was parsed last. */
export function readTarget(
  { view }: HttpContext,
  { config }: Pick<LiveConfig, "config">,
  { listener }: DownstreamConnection,
): TargetProblem | undefined {
  return view.target.read(view.buffer, requestHead, config, portOf(listener.addresses[0]));
}

/** By the head that was parsed last, whatever was found before; nothing is waited for. */
export function findRoute(info: RequestInfo, context: HttpContext): Found {
  const { view } = context;
  const route = context.routeTable()?.find(view);
  noteRoute(info, route);
  return { route, cluster: route?.chooseCluster(view) ?? "" };
}

export function noteRoute(info: RequestInfo, route: CompiledRoute | undefined): void {
  info.routeName = route?.name;
  info.virtualHostName = route?.virtualHostName;
}

/** Of a request whose head is another one now, where logs want it. */
export function keepLine(info: RequestInfo, { view }: HttpContext): void {
  if (info.path === undefined) return;
  info.method = view.pseudoHeader(":method");
  info.path = view.pseudoHeader(":path");
  info.authority = view.authorityText();
}

/** For logs and for header values that are made of the request. */
export function keepTexts(info: RequestInfo, context: HttpContext): void {
  const { requestCapture, config, view } = context;
  info.method = view.pseudoHeader(":method");
  info.path = view.pseudoHeader(":path");
  info.authority = view.authorityText();
  requestCapture.capture(view.buffer, info.requestValues);
  if (config.useRemoteAddress && config.xffNumTrustedHops === 0) return;
  const hops = config.useRemoteAddress ? config.xffNumTrustedHops - 1 : config.xffNumTrustedHops;
  const address = trustedAddress(view.buffer, hops);
  if (address !== undefined) info.trustForwardedAddress(address);
}

export function portOf(address: SocketAddress | undefined): number {
  return address?.kind === "ip" ? address.port : 0;
}
