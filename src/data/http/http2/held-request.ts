/** What came of a request's body while the request waited goes on its way, through the windows of the arena. */
import type { Arena } from "../../../shared/io/arena.ts";
import type { ActiveRequest } from "../active-request.ts";
import type { ServerStream } from "./server-stream.ts";

/** `isBodyless`: nothing came, and nothing will. */
export function sendHeld(
  arena: Arena,
  stream: ServerStream,
  request: ActiveRequest,
  isBodyless: boolean,
): void {
  const { bytes, readStart, readEnd, stagingStart } = arena;
  const { heldBody } = stream;
  const first = heldBody.take(readEnd - readStart);
  bytes.set(first, readStart);
  const { trailers } = heldBody;
  const hasEnded = (): boolean =>
    stream.isRequestComplete && heldBody.bytes === 0 && trailers === undefined;
  request.send(readStart, readStart + first.length, isBodyless || hasEnded());
  while (heldBody.bytes > 0) {
    const part = heldBody.take(readEnd - readStart);
    bytes.set(part, readStart);
    request.sendBody(readStart, readStart + part.length, hasEnded());
  }
  if (trailers === undefined) return;
  heldBody.trailers = undefined;
  bytes.set(trailers, stagingStart);
  request.sendTrailers(stagingStart, stagingStart + trailers.length);
}
