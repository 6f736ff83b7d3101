/**
 * The seam between a connection and the terminal filter that serves it (Envoy: `Network::Filter`).
 * The connection owns the socket and the drain; the filter owns the protocol.
 */
import type { PlainNetworkFilterConfig } from "../../shared/config/listener-config.ts";
import type { DrainStart, DrainedProtocol } from "../../shared/drain/drain.ts";
import type { CloseReason } from "../../shared/io/reactor.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { MovedConnection } from "../../shared/protocol/moved-connection.ts";
import type { StreamProgress } from "../../shared/protocol/worker-event.ts";
import type { DownstreamConnection } from "./downstream-connection.ts";
import type { StreamInfo } from "./stream-info.ts";

export interface NetworkFilter {
  /** For the counts of drains; may change from `http1` to `websocket` once. */
  readonly protocol: DrainedProtocol;
  /** No request or stream is under way; false where that cannot be known. */
  readonly isIdle: boolean;
  /**
   * Gives the connection away, and an upstream that is its own, as soon as nothing of it is held here; calls once, maybe
   * never. What is counted of its end is counted where it ends. Absent: it never moves. Again: no-op while the first is not
   * done.
   */
  moveAway?(give: (moved: MovedConnection) => void): void;
  onNewConnection(): void;
  /**
   * In place of `onNewConnection`, where `moveAway` was called in another process, or here and nobody took it. Its upstream
   * is the filter's. False: it is none of the filter's kind, and nothing was done.
   */
  onMovedHere?(moved: MovedConnection): boolean;
  /** Of a connection that was not `isSecured` when it was new: the handshake is done. */
  onSecured?(): void;
  /** As `SocketHandler.onData`: arena[start, end), the filter's until it returns. */
  onData(start: number, end: number): void;
  onEnd(): void;
  /** Of the downstream socket's output: stop, or go on, reading from the upstream. */
  onAboveHighWatermark(): void;
  onBelowLowWatermark(): void;
  onSpliced(bytesRead: number, bytesWritten: number): void;
  /**
   * This connection's instant in the drain has come: tell the peer. Called at most once a drain. The
   * filter closes the connection itself when nothing is left on it; the deadline is the connection's.
   */
  onDrain(drain: DrainStart): void;
  /** Of a drain that `onDrain` told of: only for filters that heed the deadline themselves. */
  onDrainDeadlineMoved?(drain: DrainStart): void;
  /** Asked once, before the connection is cut: nothing is lost by it, so it counts as finished. Absent: it is cut. */
  endsInOrder?(): boolean;
  /** What is under way; undefined: nothing. Made when it is asked for. */
  progress?(): StreamProgress | undefined;
  /** Last call. */
  onClosed(reason: CloseReason, detail: string): void;
  /** For the listener's access log, after `onClosed`: where the filter knows more than the connection does. */
  streamInfo?(): StreamInfo;
}

/** Makes the filter of one kind for one connection; built once per filter chain and worker. */
export interface NetworkFilterFactory extends Disposable {
  create(connection: DownstreamConnection): NetworkFilter;
  /** The connection of a filter that it made has ended. Absent: it does not matter which they are. */
  closed?(filter: NetworkFilter): void;
  /**
   * The chain is what it was but for what open connections may take up (`FilterChainConfig.revision`): from now on
   * this holds. Absent: nothing of the kind can change.
   */
  adopt?(filter: PlainNetworkFilterConfig, slots: ListenerSlots): void;
}
