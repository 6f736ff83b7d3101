/**
 * Where the server is in its life, published after it is true: the admin shows it, stats carry it.
 *
 *     preInitializing ──clusters are known──▶ initializing ──workers serve──▶ live ──asked to end──▶ ending
 *
 * `/healthcheck/fail` is no phase: it can be taken back, and covers whatever the phase is.
 */
import { assert } from "../../shared/common/assert.ts";
import type { ServerState } from "../admin/ready-endpoint.ts";

export const serverPhases = ["preInitializing", "initializing", "live", "ending"] as const;
export type ServerPhase = (typeof serverPhases)[number];

/** Envoy's order of states in `server.state`. */
const stateNumbers: Readonly<Record<ServerState, number>> = {
  LIVE: 0,
  DRAINING: 1,
  PRE_INITIALIZING: 2,
  INITIALIZING: 3,
};

export class ServerLifecycle {
  #phase: ServerPhase = "preInitializing";
  #isHealthCheckFailed = false;
  readonly #onChange: (lifecycle: ServerLifecycle) => void;

  /** `onChange` is called after each change, not for the start. */
  constructor(onChange: (lifecycle: ServerLifecycle) => void) {
    this.#onChange = onChange;
  }

  get phase(): ServerPhase {
    return this.#phase;
  }

  get isHealthCheckFailed(): boolean {
    return this.#isHealthCheckFailed;
  }

  /** As Envoy calls it. */
  get state(): ServerState {
    if (this.#isHealthCheckFailed || this.#phase === "ending") return "DRAINING";
    if (this.#phase === "live") return "LIVE";
    return this.#phase === "initializing" ? "INITIALIZING" : "PRE_INITIALIZING";
  }

  /** `server.state`. */
  get stateNumber(): number {
    return stateNumbers[this.state];
  }

  /** Phases are never gone back to; any may be skipped by ending early. */
  become(phase: ServerPhase): void {
    assert(
      serverPhases.indexOf(phase) > serverPhases.indexOf(this.#phase),
      `server phase ${this.#phase} cannot become ${phase}`,
    );
    this.#phase = phase;
    this.#onChange(this);
  }

  setHealthCheckFailed(failed: boolean): void {
    if (failed === this.#isHealthCheckFailed) return;
    this.#isHealthCheckFailed = failed;
    this.#onChange(this);
  }
}
