/**
 * What a route's retry policy says to the outcome of an attempt (docs: configuration/http/http_filters/
 * router_filter, x-envoy-retry-on). Decides only; counting, breakers and waiting are the exchange's.
 */
import type { Random } from "../../../shared/common/random.ts";
import {
  type GrpcRetryCondition,
  grpcRetryConditions,
  type RetryPolicy,
} from "../../../shared/config/route-config.ts";
import type { ResetReason } from "./reset-reason.ts";

/** Envoy: `upstream.base_retry_backoff_ms` and ten times that. */
const baseBackoffMs = 25;
const maxBackoffMs = 250;

/** Before the first try after one that failed: uniform over Envoy's base interval. */
export function firstBackoffMs(random: Random): number {
  return Math.floor(random.next() * baseBackoffMs);
}

type RetryOn = RetryPolicy["retryOn"][number];

export class RetryState {
  readonly #policy: RetryPolicy;
  readonly #random: Random;
  readonly #grpcStatuses: readonly number[];
  #retries = 0;

  constructor(policy: RetryPolicy, random: Random) {
    this.#policy = policy;
    this.#grpcStatuses = policy.retryOn.flatMap((condition) =>
      condition in grpcRetryConditions ? grpcRetryConditions[condition as GrpcRetryCondition] : [],
    );
    this.#random = random;
  }

  get perTryTimeoutMs(): number {
    return this.#policy.perTryTimeoutMs;
  }

  get perTryIdleTimeoutMs(): number {
    return this.#policy.perTryIdleTimeoutMs;
  }

  get hasRetriesLeft(): boolean {
    return this.#retries < this.#policy.numRetries;
  }

  wantsRetryOfStatus(status: number): boolean {
    const { retriableStatusCodes } = this.#policy;
    if (status >= 500 && this.#has("5xx")) return true;
    if (status >= 502 && status <= 504 && this.#has("gateway-error")) return true;
    if (status === 409 && this.#has("retriable-4xx")) return true;
    return this.#has("retriable-status-codes") && retriableStatusCodes.includes(status);
  }

  /** Of a response that says in its head how the call ended: its trailers would come too late. */
  wantsRetryOfGrpcStatus(status: number | undefined): boolean {
    if (status === undefined) return false;
    return this.#grpcStatuses.includes(status);
  }

  /** Whether `grpc-status` is worth looking for. */
  get looksAtGrpcStatus(): boolean {
    return this.#grpcStatuses.length > 0;
  }

  /** Overflow is never retried: that is what the breaker is for. */
  wantsRetryOfReset(reason: ResetReason): boolean {
    if (reason === "overflow") return false;
    if (this.#has("5xx") || this.#has("gateway-error") || this.#has("reset")) return true;
    if (reason === "refusedStream" && this.#has("refused-stream")) return true;
    const isConnectFailure = reason === "connectionFailure" || reason === "connectionTimeout";
    return isConnectFailure && this.#has("connect-failure");
  }

  /** Of a try that we have given up. */
  wantsRetryOfLocalReset(): boolean {
    return this.#has("5xx") || this.#has("gateway-error") || this.#has("reset");
  }

  /** Takes one retry; how long to wait before it: uniform over a window that doubles. */
  nextBackoffMs(): number {
    const windowMs = Math.min(baseBackoffMs * 2 ** this.#retries, maxBackoffMs);
    this.#retries++;
    return Math.floor(this.#random.next() * windowMs);
  }

  #has(condition: RetryOn): boolean {
    return this.#policy.retryOn.includes(condition);
  }
}
