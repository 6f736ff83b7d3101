/** What a network filter sees of its connection. Implemented in `connection-handler/`. */
import type { FilterChainConfig, ListenerConfig } from "../../shared/config/listener-config.ts";
import type { Reactor, Socket } from "../../shared/io/reactor.ts";
import type { ListenerSlots } from "../../shared/protocol/worker-command.ts";
import type { ConnectionFacts } from "./filter-chain-match.ts";
import type { WorkerContext } from "./worker-context.ts";

/** Its connections speak TLS, from their first byte. */
export function isTls({ transportSocket }: FilterChainConfig): boolean {
  return transportSocket.kind === "tls";
}

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
  /** The handshake is done, or there is none. Until then nothing comes of the peer, and nothing goes to it. */
  readonly isSecured: boolean;
  /** Why TLS ended it, as logs print it. */
  readonly transportFailureReason: string | undefined;
  /** Why we ended it before its filter could, where we did. */
  readonly terminationDetails: string | undefined;
  /** True once `onDrain` was called. */
  readonly isToldToDrain: boolean;
}
