/**
 * The streams of one connection that are open, and the ids of those that we reset of late.
 *
 * What a newcomer would get wrong: what is in no map is idle or closed, and which of them tells its id: ids are only
 * counted up (RFC 9113 §5.1.1).
 */
import type { StreamProgress } from "../../../shared/protocol/worker-event.ts";
import type { ServerStream } from "./server-stream.ts";

/** What their client sent before it knew is ignored, not an error: so many of them are remembered. */
const resetIdsMax = 256;

export class StreamTable {
  readonly #streams = new Map<number, ServerStream>();
  readonly #resetIds = new Set<number>();

  get count(): number {
    return this.#streams.size;
  }

  get(id: number): ServerStream | undefined {
    return this.#streams.get(id);
  }

  add(stream: ServerStream): void {
    this.#streams.set(stream.id, stream);
  }

  /** False: it was not there any more. */
  remove(stream: ServerStream): boolean {
    return this.#streams.delete(stream.id);
  }

  values(): Iterable<ServerStream> {
    return this.#streams.values();
  }

  wasReset(id: number): boolean {
    return this.#resetIds.has(id);
  }

  noteReset(id: number): void {
    if (this.#resetIds.size >= resetIdsMax) {
      const [oldest] = this.#resetIds;
      if (oldest !== undefined) this.#resetIds.delete(oldest);
    }
    this.#resetIds.add(id);
  }

  /** Of all streams together, for whoever watches a drain. */
  progress(): StreamProgress | undefined {
    let bytesReceived = 0;
    let bytesSent = 0;
    let route: string | undefined;
    let cluster: string | undefined;
    for (const { request } of this.#streams.values()) {
      if (request === undefined) continue;
      bytesReceived += request.info.bytesReceived;
      bytesSent += request.info.bytesSent;
      route ??= request.info.routeName || undefined;
      cluster ??= request.info.upstreamCluster;
    }
    const streams = this.#streams.size;
    return streams === 0 ? undefined : { streams, bytesReceived, bytesSent, route, cluster };
  }
}
