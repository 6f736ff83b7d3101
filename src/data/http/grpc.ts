/**
 * What the proxy itself knows of gRPC over HTTP (docs: arch_overview/other_protocols/grpc; the protocol's own
 * "gRPC over HTTP2"): who speaks it, and how what we answer is said in it.
 */
import { equalsIgnoringCase, latin1 } from "./http1/ascii.ts";
import { findHeader, HeaderName, headers, headerText } from "./http1/header-table.ts";
import { requestHead } from "./http1/request-head.ts";
import type { LocalReply } from "./composer/response-composer.ts";

const contentType = latin1("application/grpc");
const webContentType = latin1("application/grpc-web");
const protobufContentType = latin1("application/x-protobuf");
const plus = 0x2b;
const statusName = new HeaderName("grpc-status");

/** The request that was parsed last: `application/grpc`, or one of its encodings (`application/grpc+proto`). */
export function isGrpcRequest(bytes: Uint8Array): boolean {
  const index = requestHead.contentTypeIndex;
  if (index < 0) return false;
  const start = headers.valueStart[index] as number;
  const end = headers.valueEnd[index] as number;
  const typeEnd = start + contentType.length;
  if (end > typeEnd && bytes[typeEnd] !== plus) return false;
  return equalsIgnoringCase(bytes, start, Math.min(end, typeEnd), contentType);
}

/** `application/grpc`, `application/grpc-web-text` and all that begin like these. */
export function isGrpcLikeRequest(bytes: Uint8Array): boolean {
  return typeBegins(bytes, contentType);
}

/** `application/grpc-web`, and all that begin like it. */
export function isGrpcWebRequest(bytes: Uint8Array): boolean {
  return typeBegins(bytes, webContentType);
}

/** `application/x-protobuf`, and all that begin like it. */
export function isProtobufRequest(bytes: Uint8Array): boolean {
  return typeBegins(bytes, protobufContentType);
}

function typeBegins(bytes: Uint8Array, beginning: Uint8Array): boolean {
  const index = requestHead.contentTypeIndex;
  if (index < 0) return false;
  const start = headers.valueStart[index] as number;
  const end = Math.min(headers.valueEnd[index] as number, start + beginning.length);
  return equalsIgnoringCase(bytes, start, end, beginning);
}

/** As `isGrpcRequest`, of a field that is text. */
export function isGrpcType(value: string | undefined): boolean {
  return value !== undefined && /^application\/grpc(?:\+|$)/i.test(value);
}

/** `grpc-status` of the head or the trailers that were parsed last. */
export function grpcStatus(buffer: Buffer): number | undefined {
  const index = findHeader(buffer, statusName);
  return index < 0 ? undefined : grpcStatusOf(headerText(buffer, index));
}

/** -1, as in Envoy, of what is no number; undefined: it is not said. */
export function grpcStatusOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : -1;
}

/** Envoy's `Grpc::Utility::httpToGrpcStatus`, the mapping of gRPC's own documentation. */
const statusOfHttp: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [429, 14],
  [502, 14],
  [503, 14],
  [504, 14],
]);
const unknown = 2;

/** What an HTTP status means to whoever speaks gRPC. */
export function grpcStatusOfHttp(status: number): number {
  return statusOfHttp.get(status) ?? unknown;
}

export function grpcStatusOfReply({ status, grpcStatus: own }: LocalReply): number {
  return own ?? grpcStatusOfHttp(status);
}

/** A local reply as a client that speaks gRPC wants it: it looks for the status in a field, and at no body. */
export function grpcReply(reply: LocalReply, isHead: boolean): LocalReply {
  const { body, fields } = reply;
  const own: (readonly [string, string])[] = [
    ["content-type", "application/grpc"],
    ["grpc-status", String(grpcStatusOfReply(reply))],
  ];
  if (body !== "" && !isHead) own.push(["grpc-message", grpcMessage(Buffer.from(body, "utf8"))]);
  return { status: 200, body: "", fields: [...own, ...fields] };
}

/** As `Grpc-Message` wants it: visible ASCII but the percent sign; and blanks, but not where no field may have them. */
export function grpcMessage(text: Uint8Array): string {
  const message = [...text]
    .map((byte) => {
      if (byte >= 0x20 && byte <= 0x7e && byte !== 0x25) return String.fromCharCode(byte);
      return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    })
    .join("");
  return message.replaceAll(/^ | $/g, "%20");
}
