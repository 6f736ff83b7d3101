/** What the supervisor knows, what can happen to it and what it can want done. */

/**
 * starting: does not serve yet. failing: did not come up in time and has been told to end. serving: the newest that
 * does; at most one. retired: a newer one serves in its place, and it drains.
 */
export interface Generation {
  readonly id: number;
  readonly epoch: number;
  readonly phase: "starting" | "failing" | "serving" | "retired";
  /** SIGUSR1 came while it was starting. */
  readonly owesReopen: boolean;
}

/** The restart that is under way, if any. `again`: another was asked for meanwhile. */
export type Next =
  | { readonly kind: "none" }
  /** The configuration is tried by a process that serves nobody. */
  | { readonly kind: "validating"; readonly again: boolean }
  /** The last generation is starting, or failing to. */
  | { readonly kind: "starting"; readonly again: boolean }
  /** For a generation to end. */
  | { readonly kind: "waiting" }
  /** Nobody serves, and soon the next is tried. */
  | { readonly kind: "backing-off" };

export interface RunningState {
  readonly kind: "running";
  /** Of all that live, the oldest first. */
  readonly generations: readonly Generation[];
  readonly next: Next;
  /** Failures in a row with nobody serving. */
  readonly crashes: number;
  readonly hasServed: boolean;
  readonly nextId: number;
}

export type SupervisorState =
  | RunningState
  /** All have been told to end. `code`: what the restarter will end with. */
  | {
      readonly kind: "stopping";
      readonly generations: readonly Generation[];
      readonly code: number;
    }
  | { readonly kind: "ended"; readonly code: number };

export const initialState: RunningState = {
  kind: "running",
  generations: [],
  next: { kind: "none" },
  crashes: 0,
  hasServed: false,
  nextId: 1,
};

export interface SupervisorPolicy {
  /** Whether a restart tries the configuration first. */
  readonly validates: boolean;
  /** When who serves ends unasked: Envoy's way is to end everything. */
  readonly onCrash: "restart" | "exit";
  /** Processes alive at once, draining ones included; 2 at least. */
  readonly generationsMax: number;
  /** Failures in a row with nobody serving, after which everything ends. */
  readonly crashesMax: number;
  /** Who served for so long ends a row of crashes. */
  readonly steadyMs: number;
}

export type SupervisorEvent =
  | { readonly kind: "begun" }
  /** SIGHUP. */
  | { readonly kind: "reloadAsked" }
  | { readonly kind: "endAsked"; readonly signal: "SIGTERM" | "SIGINT" }
  | { readonly kind: "signalled"; readonly signal: "SIGUSR1" | "SIGUSR2" }
  /** `refusal`: why not; undefined: the configuration is good. */
  | { readonly kind: "validated"; readonly refusal: string | undefined }
  | { readonly kind: "ready"; readonly id: number }
  | { readonly kind: "startTimedOut"; readonly id: number }
  | {
      readonly kind: "exited";
      readonly id: number;
      /** Undefined: a signal ended it, or it could not be started at all. */
      readonly code: number | undefined;
      /** A signal's name, or why it could not be started. */
      readonly cause: string;
      readonly livedMs: number;
    }
  | { readonly kind: "backOffElapsed" }
  | { readonly kind: "stopTimedOut" };

export type SupervisorAction =
  | { readonly kind: "validate"; readonly epoch: number }
  | { readonly kind: "cancelValidation" }
  | { readonly kind: "start"; readonly id: number; readonly epoch: number }
  | {
      readonly kind: "signal";
      readonly id: number;
      readonly signal: "SIGTERM" | "SIGUSR1" | "SIGUSR2";
    }
  /** SIGTERM, and SIGKILL if that does not help in time. */
  | { readonly kind: "endChild"; readonly id: number }
  | { readonly kind: "kill"; readonly id: number }
  /** A newer one serves: ends it after a while, where that is wanted. */
  | { readonly kind: "retire"; readonly id: number }
  /** `backOffElapsed` follows. `isFirst`: the delay begins small again. */
  | { readonly kind: "backOff"; readonly isFirst: boolean }
  | { readonly kind: "cancelBackOff" }
  /** `stopTimedOut` follows. */
  | { readonly kind: "limitStop" }
  | {
      readonly kind: "report";
      readonly level: "info" | "warning" | "error";
      readonly text: string;
    }
  /** For the service manager. */
  | {
      readonly kind: "notify";
      readonly phase: "ready" | "reloading" | "stopping";
      readonly status: string;
    }
  /** The restarter itself. */
  | { readonly kind: "end"; readonly code: number };

/** One more than the newest that lives; 0 where nobody does. */
export function nextEpoch(generations: readonly Generation[]): number {
  return Math.max(-1, ...generations.map((each) => each.epoch)) + 1;
}

export function endText(exit: {
  readonly code: number | undefined;
  readonly cause: string;
}): string {
  if (exit.code === undefined) return `ended: ${exit.cause}`;
  return exit.code === 0 ? "has ended" : `ended with code ${exit.code}`;
}
