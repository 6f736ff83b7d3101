/**
 * A request that waits for what main was asked for: its head is kept as HTTP/1 text, to be parsed when the wait is
 * over, and what comes of its body in the stream's queue.
 */
import type { Arena } from "../../../shared/io/arena.ts";
import { latin1, latin1Text } from "../http1/ascii.ts";
import type { HeadWriter } from "../http1/head-writer.ts";
import { requestHead } from "../http1/request-head.ts";
import { layOutRequest } from "../http1/staged-head.ts";
import { writeUpgrade } from "../http1/upgrade-lines.ts";
import { asksForTunnel, noUpgrade } from "../request/upgrade.ts";
import type { BodyPart } from "../upstream/upstream-request.ts";
import { SendQueue } from "./send-queue.ts";
import type { ServerStream } from "./server-stream.ts";

const versionLine = latin1(" HTTP/1.1\r\n");

/** Of the head that was read last, with the part of the body that came with it. */
export function holdRequest(
  stream: ServerStream,
  writer: HeadWriter,
  body: BodyPart | undefined,
): void {
  writer.begin();
  writer.copy(requestHead.methodStart, requestHead.targetEnd);
  writer.put(versionLine);
  writer.copyFields();
  if (requestHead.fields.saysUpgrade) writeUpgrade(writer, noUpgrade);
  writer.endLine();
  const head = latin1Text(writer.buffer, writer.start, writer.at);
  const held = { head, body: new SendQueue(), metadata: [] };
  stream.held = held;
  if (body === undefined) return;
  held.body.add(writer.bytes.slice(body.start, body.end));
  held.body.isEnd = body.isEnd;
}

/** Calls the request again, and sends what was kept unless it waits once more. */
export function resumeRequest(stream: ServerStream, arena: Arena): void {
  const { held, request } = stream;
  if (held === undefined || request === undefined) return;
  layOutRequest(arena, held.head, { minorVersion: 2, isChunked: false });
  const isBodyless = stream.isRequestComplete && held.body.bytes === 0 && !held.body.trailers;
  const isFramed = !isBodyless && !asksForTunnel(requestHead, arena.buffer);
  requestHead.fields.isChunked = isFramed && requestHead.fields.contentLength < 0;
  request.resume();
  if (request.isWaiting) return;
  stream.held = undefined;
  for (const metadata of held.metadata) request.sendMetadata(metadata);
  sendHeld(stream, held.body, { arena, isBodyless });
  stream.onHeldSent();
}

function sendHeld(
  stream: ServerStream,
  body: SendQueue,
  { arena, isBodyless }: { readonly arena: Arena; readonly isBodyless: boolean },
): void {
  const { bytes, readStart, readEnd, stagingStart } = arena;
  const { trailers } = body;
  const hasEnded = (): boolean => stream.isRequestComplete && body.bytes === 0 && !trailers;
  const first = body.take(readEnd - readStart);
  bytes.set(first, readStart);
  stream.request?.send(readStart, readStart + first.length, isBodyless || hasEnded());
  while (body.bytes > 0) {
    const part = body.take(readEnd - readStart);
    bytes.set(part, readStart);
    stream.request?.sendBody(readStart, readStart + part.length, hasEnded());
  }
  if (trailers === undefined) return;
  bytes.set(trailers, stagingStart);
  stream.request?.sendTrailers(stagingStart, stagingStart + trailers.length);
}
