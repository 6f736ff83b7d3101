/**
 * The one door to drains: the admin and the gRPC service see and steer them here, and nobody else does by hand.
 * Every order is answered by the drain as it is then or by an error with its sentence; where an order is
 * refused nothing has changed.
 */
import type { DrainStrategy } from "../../shared/drain/drain.ts";
import type { DrainDetailView, DrainView, DrainsView } from "./drain-view.ts";

/** What is to drain. */
export type DrainScope =
  | {
      readonly kind: "server";
      /** `stop`: accepting ends now; `graceful`: when the drain ends; `keepAccepting`: never. */
      readonly mode: "stop" | "graceful" | "keepAccepting";
      /** Only listeners whose `traffic_direction` is INBOUND. */
      readonly inboundOnly: boolean;
    }
  /** Connections that an active listener has now; it goes on serving. */
  | {
      readonly kind: "listener";
      readonly listener: string;
      /** Name, or id where it has none, of one filter chain; absent: whatever the chain. */
      readonly filterChain?: string | undefined;
      /** Above 0, at most 100; absent: all of them. */
      readonly percent?: number | undefined;
    };

export interface DrainRequest {
  readonly scope: DrainScope;
  /** At most `drainMsMax`; absent: the listener's own, or the process's. */
  readonly timeMs?: number | undefined;
  readonly strategy?: DrainStrategy | undefined;
}

/** Remaining connections that one question is answered with at most. */
export const remainingMax = 1_000;

/**
 * How far an order moves the deadline; from now where it has passed already. It ends `drainMsMax` from now at the
 * latest.
 */
export type DrainExtension =
  | { readonly byMs: number }
  /** Milliseconds since 1970; later than the present deadline. */
  | { readonly untilMs: number };

export type DrainErrorKind =
  /** There has never been such a drain. */
  | "unknown"
  /** There was, and it is no longer kept. */
  | "gone"
  /** It is kept to be seen and has ended. */
  | "ended"
  /** It is another process's. */
  | "elsewhere"
  /** It cannot be taken back. */
  | "notCancellable"
  /** A number that no drain can have: percent, time, limit. */
  | "outOfRange"
  /** No active listener, or no filter chain of it, has the name. */
  | "noSuchListener"
  | "noSuchFilterChain"
  /** The server drains already. */
  | "underWay";

export interface DrainError {
  readonly kind: DrainErrorKind;
  /** A sentence for a person, without a full stop or a line end. */
  readonly text: string;
}

export type DrainResult =
  | {
      readonly ok: true;
      readonly drain: DrainView;
      /** What the order could not do: connections that were told already, workers that did not answer. */
      readonly note?: string;
    }
  | { readonly ok: false; readonly error: DrainError };

export type RemainingResult =
  | { readonly ok: true; readonly drain: DrainDetailView }
  | { readonly ok: false; readonly error: DrainError };

export interface DrainDesk {
  list(): DrainsView;
  get(id: number): DrainResult;
  /**
   * Asks every worker, a second at most: who does not answer is named in the view. `limit`: at most
   * `remainingMax`, oldest connections first.
   */
  remaining(id: number, limit: number): Promise<RemainingResult>;
  /** Resolves when the drain has begun; workers are told. */
  start(request: DrainRequest): Promise<DrainResult>;
  /** Nobody else is told; who was told already closes after the next response. */
  cancel(id: number): Promise<DrainResult>;
  /** Moves the deadline for all its connections; the instants at which they are told stay. */
  extend(id: number, extension: DrainExtension): Promise<DrainResult>;
  /** The deadline is now: what remains is cut. Resolves when it has ended. */
  end(id: number): Promise<DrainResult>;
  /** `onChange` after every change of any drain: many a second; whoever shows them thins them out. */
  subscribe(onChange: () => void): Disposable;
  /** Subscribed at present. */
  readonly watchers: number;
}
