/**
 * What a client sends before it is granted what it asks for (`upgrade.ts`). It waits: a host that declines would read the
 * next request in it, one that no route and no filter has seen.
 */
import type { HeadWriter } from "../http1/head-writer.ts";
import { sendThroughScratch } from "../composer/scratch-parts.ts";
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
  sendTo(connection: UpstreamConnection, writer: HeadWriter): void {
    const { start } = writer;
    for (const bytes of this.#parts)
      sendThroughScratch(writer, start, { bytes, isEnd: false }, (from, to) =>
        connection.sendBody(from, to, false),
      );
    if (this.#isEnd) connection.sendBody(start, start, true);
  }
}
