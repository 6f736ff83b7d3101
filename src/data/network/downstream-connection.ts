/** What a network filter sees of its connection. Implemented in `connection-handler/`. */
import type { FilterChainConfig, ListenerConfig } from "../../shared/config/listener-config.ts";
import type { Reactor, Socket } from "../../shared/io/reactor.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { ConnectionFacts } from "./filter-chain-match.ts";
import type { WorkerContext } from "./worker-context.ts";

export interface DownstreamConnection {
  readonly id: number;
  readonly worker: WorkerContext;
  readonly reactor: Reactor;
  readonly socket: Socket;
  /** Its addresses, as everybody is to see them, and what listener filters learned. */
  readonly facts: ConnectionFacts;
  readonly listener: ListenerConfig;
  readonly filterChain: FilterChainConfig;
  readonly slots: ListenerSlots;
  readonly startMs: number;
  /**
   * True when a response should say `connection: close` for a reason that is polled, not told:
   * /healthcheck/fail on a listener whose drain type is default.
   */
  readonly isHealthCheckFailed: boolean;
  /** True once `onDrain` was called. */
  readonly isToldToDrain: boolean;
}
