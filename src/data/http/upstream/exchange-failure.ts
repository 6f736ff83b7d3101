/** What a client is told when there is no response to forward: Envoy's local replies of the router. */
import type { ResponseFlag } from "../../network/stream-info.ts";
import { type ResetReason, resetAnswers, resetBody, resetDetails } from "./reset-reason.ts";

export interface ExchangeFailure {
  readonly status: number;
  readonly flag: ResponseFlag;
  readonly body: string;
  readonly details: string;
  /** Says `x-envoy-overloaded: true`. */
  readonly isOverloaded: boolean;
  /** The cluster counts no answer for it, its host no timeout, as in Envoy. */
  readonly isUncounted?: true;
}

export const failures = {
  noHealthyUpstream: {
    status: 503,
    flag: "UH",
    body: "no healthy upstream",
    details: "no_healthy_upstream",
    isOverloaded: false,
  },
  timeout: {
    status: 504,
    flag: "UT",
    body: "upstream request timeout",
    details: "response_timeout",
    isOverloaded: false,
  },
  perTryTimeout: {
    status: 504,
    flag: "UT",
    body: "upstream request timeout",
    details: "upstream_per_try_timeout",
    isOverloaded: false,
  },
  perTryIdleTimeout: {
    status: 504,
    flag: "UT",
    body: "upstream request timeout",
    details: "upstream_per_try_idle_timeout",
    isOverloaded: false,
  },
  maxStreamDuration: {
    status: 504,
    flag: "UMSDR",
    body: "upstream max stream duration reached",
    details: "upstream_max_stream_duration_reached",
    isOverloaded: false,
    isUncounted: true,
  },
} as const satisfies Readonly<Record<string, ExchangeFailure>>;

export function resetFailure(
  reason: ResetReason,
  transportFailure: string,
  wasRetried: boolean,
): ExchangeFailure {
  const { status, flag } = resetAnswers[reason];
  return {
    status,
    flag,
    details: resetDetails(reason, transportFailure),
    body: resetBody(reason, wasRetried),
    isOverloaded: reason === "overflow",
  };
}
