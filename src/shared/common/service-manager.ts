/**
 * What a service manager is told (sd_notify(3)): that we serve, reload, end, and that we are alive. Datagrams to the
 * socket that NOTIFY_SOCKET names; Node has none of AF_UNIX, so they go through `shared/io`, in place of a process of
 * systemd-notify for each, whose sender would not be the main process (NotifyAccess=main).
 */
import type { Clock } from "./clock.ts";

export type Phase = "ready" | "reloading" | "stopping";

/** Undefined: it was sent. Else why not. */
export type Send = (text: string) => string | undefined;

export interface ServiceManagerParts {
  readonly clock: Clock;
  readonly send: Send;
  readonly pid: number;
  /** CLOCK_MONOTONIC, the system's: what systemd compares a RELOADING with. */
  readonly monotonicUs: () => bigint;
  readonly onFailure: (why: string) => void;
}

export class ServiceManager implements Disposable {
  readonly #parts: ServiceManagerParts;
  #hasFailed = false;
  #heartbeat: Disposable | undefined;

  constructor(parts: ServiceManagerParts) {
    this.#parts = parts;
  }

  /** `mainPid`: whose service it is from now on, if not this process's; of "ready" alone. */
  notify(phase: Phase, status: string, mainPid = this.#parts.pid): void {
    this.#send([...this.#lines(phase, mainPid), `STATUS=${status}`]);
  }

  /** Says so twice in each span, as sd_watchdog_enabled(3) advises. */
  startHeartbeat(spanMs: number): void {
    this.#heartbeat = this.#parts.clock.startTimer(spanMs / 2, () => {
      this.#send(["WATCHDOG=1"]);
      this.startHeartbeat(spanMs);
    });
  }

  [Symbol.dispose](): void {
    this.#heartbeat?.[Symbol.dispose]();
  }

  #lines(phase: Phase, mainPid: number): readonly string[] {
    switch (phase) {
      case "ready":
        return ["READY=1", `MAINPID=${mainPid}`];
      case "reloading":
        return ["RELOADING=1", `MONOTONIC_USEC=${this.#parts.monotonicUs()}`];
      case "stopping":
        return ["STOPPING=1"];
      default:
        return phase satisfies never;
    }
  }

  #send(lines: readonly string[]): void {
    const failure = this.#parts.send(lines.join("\n"));
    // Once: it would say the same each time.
    if (failure !== undefined && !this.#hasFailed) this.#parts.onFailure(failure);
    this.#hasFailed = failure !== undefined;
  }
}

/** Within which we must say that we are alive; undefined: nobody waits for it. */
export function watchdogSpanMs(env: NodeJS.ProcessEnv, pid: number): number | undefined {
  const { WATCHDOG_USEC: span, WATCHDOG_PID: whose } = env;
  if (whose !== undefined && whose !== String(pid)) return undefined;
  const spanMs = Number(span) / 1000;
  return spanMs >= 1 ? spanMs : undefined;
}
