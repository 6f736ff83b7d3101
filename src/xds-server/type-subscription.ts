/**
 * One type on one client's stream, seen from the server: what the client asked for, what it holds, what it said. The
 * two variants of the protocol differ here and in their bytes, and nowhere else.
 */
import type { RequestHead, ServedResource, WrittenResource } from "./discovery-wire.ts";
import type { ServedType } from "./resource-types.ts";
import type { ResponseLog } from "./response-log.ts";
import type { Answer } from "./verdict.ts";

/** A response without its nonce. */
export interface NextResponse {
  readonly version: string;
  readonly resources: readonly WrittenResource[];
  /** Of delta alone. */
  readonly removedNames: readonly string[];
}

/** `held`: what is gone is kept on for a while, so that nothing refers to it when it goes. */
export type Removals = "now" | "held";

export interface TypeSubscription<Request extends RequestHead> {
  readonly type: ServedType;
  readonly responses: ResponseLog;
  /** Everything there is. */
  readonly isAll: boolean;
  /** What was asked for by name; delta allows both at once. */
  readonly names: ReadonlySet<string>;
  /** `answer`: what the request said to a response, if it said anything. */
  take(request: Request, answer: Answer | undefined): void;
  /** What to send now, of all resources of the type; `undefined` if the client has it already. Changes nothing. */
  next(all: readonly ServedResource[], removals: Removals): NextResponse | undefined;
  /** `next` is on its way. */
  sent(next: NextResponse): void;
  /** A sign of life for the resources that would expire without one. */
  heartbeat(all: readonly ServedResource[]): NextResponse | undefined;
}
