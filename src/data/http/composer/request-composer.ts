/**
 * Writes a request's head as it goes upstream. The common request has nothing to rewrite: its fields are
 * copied in runs and ours follow. Routes that mutate headers take the slower way through text, where our
 * own fields are there to be mutated like any other.
 */
import type { ClusterAction } from "../../../shared/config/route-config.ts";
import {
  dropUntrustedFields,
  forwardedForText,
  type RemoteLines,
} from "../headers/forwarding-fields.ts";
import { ExtraFields } from "../headers/extra-fields.ts";
import type { ComposerContext } from "./composer-context.ts";
import { setField } from "../headers/header-mutations.ts";
import type { RequestLimits } from "../request/grpc-timeouts.ts";
import { latin1, latin1Text } from "../http1/ascii.ts";
import { dropFields, HeaderName, headers, headerText, headerValue } from "../http1/header-table.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { writeUpgrade } from "../http1/upgrade-lines.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { requestHead } from "../http1/request-head.ts";
import { expectsBody } from "../http1/request-method.ts";
import type { RequestInfo } from "../request/request-info.ts";
import type { RequestTarget } from "../request/request-target.ts";
import type { CompiledRoute } from "../router/compiled-route.ts";
import { connectType, noUpgrade } from "../request/upgrade.ts";

const lines = {
  version: latin1(" HTTP/1.1\r\n"),
  forwardedFor: latin1("x-forwarded-for: "),
  plainProto: latin1("x-forwarded-proto: http\r\n"),
  securedProto: latin1("x-forwarded-proto: https\r\n"),
  clientCert: latin1("x-forwarded-client-cert: "),
  requestId: latin1("x-request-id: "),
  chunked: latin1("transfer-encoding: chunked\r\n"),
  noBody: latin1("content-length: 0\r\n"),
  host: latin1("host: "),
} as const;

const clientCertName = "x-forwarded-client-cert";
const grpcTimeout = new HeaderName("grpc-timeout");
const clientCertHeader = new HeaderName(clientCertName);

/** What the composer needs to know of the request beside its head. */
export interface ComposedRequest {
  readonly info: RequestInfo;
  readonly target: RequestTarget;
  readonly remoteLines: RemoteLines;
  /** What it asks for and may have, as in `upgrade.ts`. */
  readonly upgradeType: string;
  /** Its own, beside its route's. */
  readonly limits: RequestLimits;
  /** `prepare` was called for it. */
  readonly isFiltered: boolean;
  /** A redirect led to it: the connection manager's fields are there since the first leg. */
  readonly isRedirected: boolean;
}

export class RequestComposer {
  readonly #context: ComposerContext;
  readonly #extra = new ExtraFields();

  constructor(context: ComposerContext) {
    this.#context = context;
  }

  /**
   * Puts the connection manager's own fields beside those of the head, so that filters find all of them; what follows
   * is `compose`, or an answer.
   */
  prepare(request: ComposedRequest): ExtraFields {
    this.#extra.clear();
    if (request.isRedirected) return this.#extra;
    if (requestHead.hasEnvoyFields) dropUntrustedFields(this.#context.config.useRemoteAddress);
    this.#collectOwn(request);
    return this.#extra;
  }

  /** What filters made of the fields, our own among them, in the place of what `prepare` gave. */
  adopt(fields: ExtraFields): void {
    this.#extra.become(fields);
  }

  /** Leaves the head in the context's writer. False: it is too large. */
  compose(request: ComposedRequest, route: CompiledRoute, upstreamHostname: string): boolean {
    const { writer, config } = this.#context;
    writer.begin();
    if (requestHead.hasEnvoyFields && !request.isFiltered && !request.isRedirected)
      dropUntrustedFields(config.useRemoteAddress);
    const host = hostFor(request.target, route, upstreamHostname);
    if (host !== undefined && requestHead.hostIndex >= 0) {
      headers.isDropped[requestHead.hostIndex] = 1;
    }
    if (config.alwaysSetRequestIdInResponse) this.#keepRequestId(request);
    this.#writeLine(request, route, host);
    if (host !== undefined) {
      writer.put(lines.host);
      writer.text(host);
      writer.endLine();
    }
    const isMutated =
      request.isFiltered ||
      request.isRedirected ||
      request.limits.toldMs !== undefined ||
      route.requestMutations.length > 0;
    if (isMutated || hasExtras(route, request, this.#context)) {
      this.#writeMutated(request, route);
    } else this.#writePlain(request, route);
    writer.framingStart = writer.at;
    this.#writeFraming(request.upgradeType);
    writer.endLine();
    if (request.info.path !== undefined) this.#keepRewritten(request, route, host);
    return !writer.hasOverflowed;
  }

  /** Logs print what was sent; header values made before this print what came. */
  #keepRewritten(
    { info, target }: ComposedRequest,
    { rewrite }: CompiledRoute,
    host: string | undefined,
  ): void {
    const path = rewrite?.(target.path);
    if (path !== undefined) {
      const query = target.query(this.#context.writer.buffer);
      info.path = path + (query === "" ? "" : `?${query}`);
    }
    if (host !== undefined) info.authority = host;
  }

  #writeFraming(upgradeType: string): void {
    const { writer } = this.#context;
    if (upgradeType === connectType) return;
    if (upgradeType !== noUpgrade) return writeUpgrade(writer, upgradeType);
    const { fields, method } = requestHead;
    if (fields.isChunked) writer.put(lines.chunked);
    else if (fields.contentLength < 0 && expectsBody(method)) {
      writer.put(lines.noBody);
    }
  }

  #writeLine({ target }: ComposedRequest, route: CompiledRoute, host: string | undefined): void {
    const { writer } = this.#context;
    if (target.isConnect) {
      writer.text(`${connectType} ${host ?? target.tunnelAuthority}`);
      writer.put(lines.version);
      return;
    }
    const path = route.rewrite?.(target.path);
    const { methodStart, targetStart } = requestHead;
    if (path === undefined && !target.isPathChanged && target.pathStart === targetStart) {
      writer.copy(methodStart, target.end);
      writer.put(lines.version);
      return;
    }
    writer.copy(requestHead.methodStart, requestHead.methodEnd);
    writer.byte(0x20);
    if (path !== undefined) writer.text(path);
    else if (target.isPathChanged) writer.text(target.path);
    else writer.copy(target.pathStart, target.pathEnd);
    writer.copy(target.pathEnd, target.end);
    writer.put(lines.version);
  }

  #writePlain(request: ComposedRequest, route: CompiledRoute): void {
    const { writer, config, requestIds, live } = this.#context;
    const { requestIdIndex, forwardedProtoIndex } = requestHead;
    if (config.useRemoteAddress) this.#takeOverForwarded(forwardedProtoIndex);
    const makesId = this.#makesRequestId();
    if (makesId && requestIdIndex >= 0) headers.isDropped[requestIdIndex] = 1;
    const clientCert = this.#takeClientCert(request);
    writer.copyFields();
    if (clientCert !== undefined) {
      writer.put(lines.clientCert);
      writer.text(clientCert);
      writer.endLine();
    }
    if (config.useRemoteAddress) this.#writeRemoteAddress(request);
    if (!this.#keepsForwardedProto())
      writer.put(this.#context.isTls ? lines.securedProto : lines.plainProto);
    if (makesId) {
      writer.put(lines.requestId);
      const start = writer.at;
      requestIds.write(writer);
      this.#captureRequestId(request.info, writer, start);
      writer.endLine();
    }
    if (!live.suppressesEnvoyHeaders(request.upgradeType)) writer.put(route.expectedTimeoutLine);
    writer.put(live.viaLine);
  }

  /** Drops what the lines written from the peer's address replace. */
  #takeOverForwarded(forwardedProtoIndex: number): void {
    if (!this.#context.config.skipXffAppend) dropFields(knownHeader["x-forwarded-for"]);
    if (forwardedProtoIndex >= 0 && !this.#keepsForwardedProto()) {
      headers.isDropped[forwardedProtoIndex] = 1;
    }
  }

  #writeRemoteAddress({ info, remoteLines }: ComposedRequest): void {
    const { writer, config, requestCapture } = this.#context;
    if (config.skipXffAppend) writer.put(remoteLines.externalAddress);
    else if (requestHead.forwardedForIndex < 0 && requestCapture.isEmpty) {
      writer.put(remoteLines.all);
    } else {
      writer.put(lines.forwardedFor);
      const start = writer.at;
      this.#copyForwardedFor(writer);
      writer.put(remoteLines.ip);
      this.#captureForwardedFor(info, writer, start);
      writer.endLine();
      writer.put(remoteLines.externalAddress);
    }
  }

  /** What came in x-forwarded-for, and the comma after it. */
  #copyForwardedFor(writer: HeadWriter): void {
    for (let i = requestHead.forwardedForIndex; i >= 0 && i < headers.count; i++) {
      if (headers.id[i] !== knownHeader["x-forwarded-for"]) continue;
      writer.copy(headers.valueStart[i] as number, headers.valueEnd[i] as number);
      writer.byte(0x2c);
    }
  }

  /** Envoy sets it from the connection unless a trusted proxy before us said it. */
  #keepsForwardedProto(): boolean {
    const { useRemoteAddress, xffNumTrustedHops } = this.#context.config;
    if (requestHead.forwardedProtoIndex < 0) return false;
    return !useRemoteAddress || xffNumTrustedHops > 0;
  }

  /** An id from outside is replaced at the edge, unless it is to be preserved. */
  #makesRequestId(): boolean {
    const { generateRequestId, preserveExternalRequestId, useRemoteAddress } = this.#context.config;
    if (!generateRequestId) return false;
    if (requestHead.requestIdIndex < 0) return true;
    return useRemoteAddress && !preserveExternalRequestId;
  }

  /** The response repeats it, whoever made it. */
  #keepRequestId({ info, isRedirected }: ComposedRequest): void {
    const { requestIdIndex } = requestHead;
    if (requestIdIndex < 0 || (this.#makesRequestId() && !isRedirected)) return;
    info.requestId = headerText(this.#context.reactor.arena.buffer, requestIdIndex);
  }

  #captureRequestId(info: RequestInfo, writer: HeadWriter, start: number): void {
    const { requestCapture, config } = this.#context;
    if (requestCapture.isEmpty && !config.alwaysSetRequestIdInResponse) return;
    info.requestId = latin1Text(writer.buffer, start, writer.at);
    requestCapture.set(info.requestValues, "x-request-id", info.requestId);
  }

  #captureForwardedFor(info: RequestInfo, writer: HeadWriter, start: number): void {
    const value = latin1Text(writer.buffer, start, writer.at);
    this.#context.requestCapture.set(info.requestValues, "x-forwarded-for", value);
  }

  #writeMutated(request: ComposedRequest, route: CompiledRoute): void {
    const { writer, reactor } = this.#context;
    const extra = this.#extra;
    if (!request.isFiltered) this.prepare(request);
    this.#collectRouters(request, route);
    for (const level of route.requestMutations) {
      level.apply(reactor.arena.bytes, extra, request.info);
    }
    writer.copyFields();
    extra.write(writer);
    this.capture(request.info);
  }

  /** Logs print what the request has become. */
  capture({ requestValues }: RequestInfo): void {
    const { requestCapture, reactor } = this.#context;
    requestCapture.capture(reactor.arena.buffer, requestValues);
    for (const name of requestCapture.names) {
      const value = this.#extra.get(name);
      if (value !== undefined) requestCapture.set(requestValues, name, value);
    }
  }

  /** Our own fields as text, so that mutations find them. */
  #collectOwn({ info, remoteLines }: ComposedRequest): void {
    const { config, requestIds, reactor, isTls } = this.#context;
    const extra = this.#extra;
    const ip = Buffer.from(remoteLines.ip).toString("latin1");
    if (config.useRemoteAddress) {
      const before = forwardedForText(reactor.arena.buffer);
      this.#takeOverForwarded(requestHead.forwardedProtoIndex);
      if (!config.skipXffAppend)
        extra.add("x-forwarded-for", before === "" ? ip : `${before},${ip}`);
      extra.add("x-envoy-external-address", ip);
    }
    if (!this.#keepsForwardedProto()) extra.add("x-forwarded-proto", isTls ? "https" : "http");
    if (this.#makesRequestId()) {
      if (requestHead.requestIdIndex >= 0) headers.isDropped[requestHead.requestIdIndex] = 1;
      info.requestId = requestIds.text();
      extra.add("x-request-id", info.requestId);
    }
    if (config.via !== "") extra.add("via", config.via);
    const clientCert = this.#takeClientCert({ info });
    if (clientCert !== undefined) extra.add(clientCertName, clientCert);
  }

  /** Drops what came, where it is not to be trusted or is said anew; what is to be said, if anything is. */
  #takeClientCert({ info }: Pick<ComposedRequest, "info">): string | undefined {
    const { clientCertIndex } = requestHead;
    const { clientCertificates } = this.#context.live;
    // Most requests have neither.
    if (clientCertIndex < 0 && !this.#context.isTls) return undefined;
    const { drops, own } = clientCertificates.verdict(info.downstreamTls);
    const before =
      clientCertificates.appends && own !== undefined && clientCertIndex >= 0
        ? headerValue(this.#context.reactor.arena.buffer, clientCertHeader)
        : undefined;
    if (clientCertIndex >= 0 && (drops || before !== undefined))
      dropFields(knownHeader["x-forwarded-client-cert"]);
    if (own === undefined) return undefined;
    const value = before === undefined ? own : `${before},${own}`;
    this.#context.requestCapture.set(info.requestValues, clientCertName, value);
    return value;
  }

  /** What the router adds before the route's own mutations. */
  #collectRouters(request: ComposedRequest, route: CompiledRoute): void {
    const { target, limits, upgradeType } = request;
    const { reactor, live } = this.#context;
    const tells = !live.suppressesEnvoyHeaders(upgradeType);
    const extra = this.#extra;
    if (tells) {
      const expectedMs = limits.timeoutMs ?? route.expectedTimeoutMs;
      if (expectedMs > 0) extra.add("x-envoy-expected-rq-timeout-ms", String(expectedMs));
      if (route.rewrite?.(target.path) !== undefined) {
        dropFields(knownHeader["x-envoy-original-path"]);
        extra.add(
          "x-envoy-original-path",
          target.path + queryWithMark(target, reactor.arena.buffer),
        );
      }
    }
    if (limits.toldMs !== undefined)
      setField(reactor.arena.bytes, extra, grpcTimeout, `${limits.toldMs}m`);
    if (rewritesHost(route) && tells && requestHead.hostIndex >= 0) {
      dropFields(knownHeader["x-envoy-original-host"]);
      extra.add(
        "x-envoy-original-host",
        target.authority ?? headerText(reactor.arena.buffer, requestHead.hostIndex),
      );
    }
    if (appendsForwardedHost(route) && requestHead.hostIndex >= 0) {
      extra.add("x-forwarded-host", headerText(reactor.arena.buffer, requestHead.hostIndex));
    }
  }
}

/** The Host field to send; undefined: as it came. */
function hostFor(
  target: RequestTarget,
  route: CompiledRoute,
  upstreamHostname: string,
): string | undefined {
  const action = clusterAction(route);
  const asked = target.isConnect ? target.tunnelAuthority : target.authority;
  if (action?.hostRewrite === undefined) return asked;
  if (action.hostRewrite.kind === "literal") return action.hostRewrite.value;
  return upstreamHostname === "" ? asked : upstreamHostname;
}

/** Fields that only the slower way writes. */
function hasExtras(
  route: CompiledRoute,
  { target, upgradeType }: ComposedRequest,
  { live }: ComposerContext,
): boolean {
  if (rewritesHost(route)) return true;
  if (route.rewrite === undefined || target.path === "") return false;
  return !live.suppressesEnvoyHeaders(upgradeType);
}

function rewritesHost(route: CompiledRoute): boolean {
  return clusterAction(route)?.hostRewrite !== undefined;
}

function appendsForwardedHost(route: CompiledRoute): boolean {
  const action = clusterAction(route);
  return action?.hostRewrite !== undefined && action.appendXForwardedHost;
}

function clusterAction({ action }: CompiledRoute): ClusterAction | undefined {
  return action.kind === "cluster" ? action : undefined;
}

function queryWithMark(target: RequestTarget, buffer: Buffer): string {
  const query = target.query(buffer);
  return query === "" ? "" : `?${query}`;
}
