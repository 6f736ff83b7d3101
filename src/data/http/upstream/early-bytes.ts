/**
 * What a client sends before it is granted what it asks for (`upgrade.ts`). It waits: a host that declines would read the
 * next request in it, one that no route and no filter has seen.
 */
import type { HeadWriter } from "../http1/head-writer.ts";
import type { BodyPart, UpstreamConnection } from "./upstream-request.ts";

export class EarlyBytes {
  readonly #parts: Buffer[] = [];
  #isEnd = false;
  /** Bounded by what is read before reading stops: one read over HTTP/1, the stream's window over HTTP/2. */
  bytes = 0;

  add(buffer: Buffer, { start, end, isEnd }: BodyPart): void {
    if (end > start) this.#parts.push(Buffer.from(buffer.subarray(start, end)));
    this.bytes += end - start;
    this.#isEnd = isEnd;
  }

  /** Through the scratch window. */
  sendTo(connection: UpstreamConnection, { buffer, start, capacity }: HeadWriter): void {
    for (const part of this.#parts) {
      for (let at = 0; at < part.length; at += capacity) {
        const size = part.copy(buffer, start, at, Math.min(part.length, at + capacity));
        connection.sendBody(start, start + size, false);
      }
    }
    if (this.#isEnd) connection.sendBody(start, start, true);
  }
}
