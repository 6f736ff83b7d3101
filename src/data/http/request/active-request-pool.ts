/**
 * Requests between requests. An idle connection holds none, so that ten thousand of them cost their
 * sockets and little more; a busy one takes its request from here and gives it back.
 */
import type { DownstreamConnection } from "../../network/downstream-connection.ts";
import { ActiveRequest } from "./active-request.ts";
import type { ResponseSink } from "./response-sink.ts";
import type { HttpContext } from "../http-context.ts";

/** Kept for reuse; what is beyond was a peak, and the collector has it. */
const idleMax = 256;

export class ActiveRequestPool {
  readonly #context: HttpContext;
  readonly #idle: ActiveRequest[] = [];

  constructor(context: HttpContext) {
    this.#context = context;
  }

  take(connection: DownstreamConnection, sink: ResponseSink): ActiveRequest {
    const request = this.#idle.pop();
    if (request === undefined) return new ActiveRequest(this.#context, connection, sink);
    request.bind(connection, sink);
    return request;
  }

  /** The request is over, and nobody will call it for this connection any more. */
  give(request: ActiveRequest): void {
    if (this.#idle.length < idleMax) this.#idle.push(request);
  }
}
