/**
 * What checks have said of one host, and what the next one makes of it (Envoy: `ActiveHealthCheckSession`). Pure.
 *
 * What one would get wrong: thresholds do not count alike. The first check ever decides at once where it is good; an
 * answer that says "bad" fails a host at once, while silence and `retriable_statuses` count towards the threshold.
 */
import type { HealthThresholds } from "../../config/health-check-config.ts";

export interface CheckState {
  /** Flags of the host: `failed_active_hc` and its companions. */
  readonly isFailed: boolean;
  readonly isDegraded: boolean;
  readonly isTimedOut: boolean;
  /** It asked for it: `x-envoy-immediate-health-check-fail` on a bad answer. */
  readonly isExcluded: boolean;
  /** `ignore_new_hosts_until_first_hc`, before the first check. */
  readonly isPending: boolean;
  readonly isFirstCheck: boolean;
  /** In a row. */
  readonly successes: number;
  readonly failures: number;
}

export type CheckOutcome =
  | { readonly kind: "success"; readonly isDegraded: boolean }
  | {
      readonly kind: "failure";
      /** `network`: no answer that could be read. */
      readonly cause: "answer" | "network" | "timeout";
      readonly isRetriable?: boolean;
      readonly isImmediate?: boolean;
      /** For the log. */
      readonly reason: string;
    };

/** `pending`: a threshold still holds the change back. */
export type Transition = "unchanged" | "changed" | "pending";

export interface CheckStep {
  readonly state: CheckState;
  readonly transition: Transition;
}

/** A checked host begins as failed (Envoy: `updateDynamicHostList`), so that none is used unseen. */
export function newCheckState(isPending: boolean): CheckState {
  return {
    isFailed: true,
    isDegraded: false,
    isTimedOut: false,
    isExcluded: false,
    isPending,
    isFirstCheck: true,
    successes: 0,
    failures: 0,
  };
}

export function afterCheck(
  state: CheckState,
  outcome: CheckOutcome,
  thresholds: HealthThresholds,
): CheckStep {
  const step =
    outcome.kind === "success"
      ? afterSuccess(state, outcome.isDegraded, thresholds)
      : afterFailure(state, outcome, thresholds);
  const isSeen = state.isPending ? "changed" : step.transition;
  return {
    state: { ...step.state, isPending: false, isFirstCheck: false },
    transition: isSeen,
  };
}

function afterSuccess(
  state: CheckState,
  isDegraded: boolean,
  { healthy }: HealthThresholds,
): CheckStep {
  const successes = state.isFailed ? state.successes + 1 : state.successes;
  const recovers = state.isFailed && (state.isFirstCheck || successes === healthy);
  const next: CheckState = {
    ...state,
    isDegraded,
    successes,
    failures: 0,
    ...(recovers ? { isFailed: false, isTimedOut: false, isExcluded: false } : {}),
  };
  if (recovers || isDegraded !== state.isDegraded) return { state: next, transition: "changed" };
  return { state: next, transition: state.isFailed ? "pending" : "unchanged" };
}

function afterFailure(
  state: CheckState,
  outcome: Extract<CheckOutcome, { kind: "failure" }>,
  { unhealthy }: HealthThresholds,
): CheckStep {
  const counts = outcome.cause !== "answer" || outcome.isRetriable === true;
  const failures = !state.isFailed && counts ? state.failures + 1 : state.failures;
  const fails = !state.isFailed && (!counts || failures === unhealthy);
  const isFailed = state.isFailed || fails;
  const next: CheckState = {
    ...state,
    isFailed,
    isTimedOut: isFailed && outcome.cause === "timeout",
    isExcluded: state.isExcluded || outcome.isImmediate === true,
    successes: 0,
    failures,
  };
  const isSeen =
    fails || next.isExcluded !== state.isExcluded || next.isTimedOut !== state.isTimedOut;
  if (isSeen) return { state: next, transition: "changed" };
  return { state: next, transition: state.isFailed ? "unchanged" : "pending" };
}
