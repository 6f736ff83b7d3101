/**
 * Writes a response's head as it goes to the client: an upstream's, with ours beside its fields, or one of
 * our own (Envoy: `sendLocalReply`).
 */
import { STATUS_CODES } from "../../../shared/common/node-http.ts";
import { ExtraFields } from "../headers/extra-fields.ts";
import type { HeadChange } from "../headers/header-mutations.ts";
import type { ComposerContext, LiveFields } from "./composer-context.ts";
import { latin1 } from "../http1/ascii.ts";
import { dropFields, headers } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { responseHead } from "../http1/response-head.ts";
import { writeUpgrade } from "../http1/upgrade-lines.ts";
import { notYet, type RequestInfo } from "../request/request-info.ts";
import { connectType, noUpgrade } from "../request/upgrade.ts";

const lines = {
  version11: latin1("HTTP/1.1 "),
  version10: latin1("HTTP/1.0 "),
  serviceTime: latin1("x-envoy-upstream-service-time: "),
  chunked: latin1("transfer-encoding: chunked\r\n"),
  close: latin1("connection: close\r\n"),
  keepAlive: latin1("connection: keep-alive\r\n"),
  noBody: latin1("content-length: 0\r\n"),
} as const;

/** What the head must say of this hop. */
export interface ResponseFraming {
  /** The client speaks HTTP/1.0. */
  readonly isHttp10: boolean;
  /** It speaks HTTP/2: no field says how the body ends, or what becomes of the connection. */
  readonly isHttp2: boolean;
  readonly isChunked: boolean;
  /** It might have a body, has none, and no field says so yet. */
  readonly isEmpty: boolean;
  readonly closes: boolean;
  /** What it grants, as in `upgrade.ts`. */
  readonly upgradeType: string;
  /** Nothing is said of what the router did. */
  readonly suppressesEnvoyHeaders: boolean;
  /** What its request began with. */
  readonly live: LiveFields;
}

export interface LocalReply {
  readonly status: number;
  readonly body: string;
  /** What it means to gRPC, where that is not what its status does. */
  readonly grpcStatus?: number | undefined;
  /** Fields beside Envoy's usual ones. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

const serviceTime = "x-envoy-upstream-service-time";

export class ResponseComposer {
  readonly #context: ComposerContext;
  readonly #extra = new ExtraFields();

  constructor(context: ComposerContext) {
    this.#context = context;
  }

  /** Of the head that was composed last: beside the fields of the table, where filters have them. */
  fieldBeside(name: string): string | undefined {
    return this.#extra.get(name);
  }

  /** The upstream's head, which was parsed last. False: it is too large. */
  compose(info: RequestInfo, changes: readonly HeadChange[], framing: ResponseFraming): boolean {
    const { writer } = this.#context;
    // Envoy: none where the host answers before it has the whole request, as it does where that has no end.
    const writesTime = !framing.suppressesEnvoyHeaders && info.requestEndAtMs !== notYet;
    if (writesTime) dropFields(knownHeader["x-envoy-upstream-service-time"]);
    const writesServer = this.#dropServer(framing.live);
    // What is granted has no length, whatever its answer says (RFC 9110 §8.6).
    if (framing.upgradeType !== noUpgrade) dropFields(knownHeader["content-length"]);
    this.#extra.clear();
    const isChanged = changes.length > 0;
    // The router sets it before anything changes the head.
    if (isChanged && writesTime) this.#extra.add(serviceTime, String(this.#serviceTimeMs(info)));
    for (const change of changes) change.apply(writer.bytes, this.#extra, info);
    this.#settleServer(framing.live);
    writer.begin();
    writer.put(framing.isHttp10 ? lines.version10 : lines.version11);
    this.#writeStatus();
    writer.endLine();
    writer.copyFields();
    this.#extra.write(writer);
    // Written as it stands, not among the others, where nothing changed the head.
    const isPlainTime = !isChanged && writesTime;
    if (isPlainTime) this.#writeServiceTime(info);
    this.#writeOwn(info, framing.live, { date: !responseHead.hasDate, server: writesServer });
    this.#writeFraming(framing);
    this.#capture(info, isPlainTime);
    return !writer.hasOverflowed;
  }

  /** A head of our own; its body lies behind it, from the writer's position to what is returned. */
  composeLocal(
    info: RequestInfo,
    reply: LocalReply,
    framing: ResponseFraming & { readonly isHeadRequest: boolean },
    changes: readonly HeadChange[],
  ): number {
    const { writer } = this.#context;
    const body = Buffer.from(reply.body, "utf8");
    writer.begin();
    writer.put(framing.isHttp10 ? lines.version10 : lines.version11);
    writer.text(`${reply.status} ${STATUS_CODES[reply.status] ?? "Unknown"}\r\n`);
    headers.count = 0;
    const extra = this.#extra;
    extra.clear();
    for (const [name, value] of reply.fields) extra.add(name, value);
    if (body.length > 0) {
      extra.add("content-length", String(body.length));
      if (!extra.has("content-type")) extra.add("content-type", "text/plain");
    }
    for (const change of changes) change.apply(writer.bytes, extra, info);
    this.#settleServer(framing.live);
    extra.write(writer);
    if (body.length === 0 && reply.status !== 204 && reply.status !== 304) writer.put(lines.noBody);
    this.#writeOwn(info, framing.live, { date: true, server: true });
    this.#writeFraming(framing);
    this.#captureOwn(info, (name) => extra.get(name));
    if (framing.isHeadRequest) return writer.at;
    const bodyStart = writer.at;
    writer.put(body);
    const bodyEnd = writer.at;
    writer.at = bodyStart;
    return bodyEnd;
  }

  /** As it came; with the usual reason where it came with none, for many clients want one. */
  #writeStatus(): void {
    const { writer } = this.#context;
    const { status, statusStart, statusEnd } = responseHead;
    if (statusEnd - statusStart > "200 ".length) writer.copy(statusStart, statusEnd);
    else writer.text(`${status} ${STATUS_CODES[status] ?? "Unknown"}`);
  }

  /** Drops the host's `server` where ours replaces it; whether one is to be written. */
  #dropServer({ config }: LiveFields): boolean {
    const { serverIndex } = responseHead;
    if (config.serverHeader === "overwrite") {
      if (serverIndex >= 0) headers.isDropped[serverIndex] = 1;
      return true;
    }
    return config.serverHeader === "appendIfAbsent" && serverIndex < 0;
  }

  /** What changes of the head say of the server has no say where it is overwritten (Envoy sets it after them). */
  #settleServer({ config }: LiveFields): void {
    if (config.serverHeader === "overwrite") this.#extra.remove("server");
  }

  /** Milliseconds from the request's end to this head. */
  #writeServiceTime(info: RequestInfo): void {
    const { writer } = this.#context;
    writer.put(lines.serviceTime);
    writer.decimal(this.#serviceTimeMs(info));
    writer.endLine();
  }

  #serviceTimeMs(info: RequestInfo): number {
    return Math.floor(this.#context.reactor.nowMs - info.requestEndAtMs);
  }

  #writeOwn(
    info: RequestInfo,
    { serverLine, viaLine, config }: LiveFields,
    writes: { readonly date: boolean; readonly server: boolean },
  ): void {
    const { writer, reactor, dates } = this.#context;
    if (writes.date && !this.#extra.has("date")) writer.put(dates.line(reactor.nowMs));
    if (writes.server && !this.#extra.has("server")) writer.put(serverLine);
    writer.put(viaLine);
    if (config.alwaysSetRequestIdInResponse && info.requestId !== undefined) {
      writer.text(`x-request-id: ${info.requestId}\r\n`);
    }
  }

  #writeFraming(framing: ResponseFraming): void {
    const { writer } = this.#context;
    if (framing.isHttp2) return writer.endLine();
    const { upgradeType } = framing;
    if (upgradeType !== noUpgrade && upgradeType !== connectType) writeUpgrade(writer, upgradeType);
    if (framing.isChunked) writer.put(lines.chunked);
    else if (framing.isEmpty) writer.put(lines.noBody);
    if (framing.closes) writer.put(lines.close);
    else if (framing.isHttp10) writer.put(lines.keepAlive);
    writer.endLine();
  }

  #capture(info: RequestInfo, isPlainTime: boolean): void {
    const { responseCapture, reactor } = this.#context;
    if (responseCapture.isEmpty) return;
    responseCapture.capture(reactor.arena.buffer, info.responseValues);
    this.#captureOwn(info, (name) =>
      name === serviceTime && isPlainTime
        ? String(this.#serviceTimeMs(info))
        : this.#extra.get(name),
    );
  }

  #captureOwn(info: RequestInfo, valueOf: (name: string) => string | undefined): void {
    const { responseCapture } = this.#context;
    for (const name of responseCapture.names) {
      const value = valueOf(name);
      if (value !== undefined) responseCapture.set(info.responseValues, name, value);
    }
  }
}
