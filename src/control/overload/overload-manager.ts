/**
 * Watches resources and turns overload actions and load shed points on and off (Envoy: `OverloadManagerImpl`). It
 * measures on main, every `refresh_interval`; workers see the result in shared memory, or are told where they have to
 * do something about it.
 *
 * A resource that cannot be measured keeps the pressure that it had, and counts.
 */
import { readFileSync } from "node:fs";
import type { Clock } from "../../shared/common/clock.ts";
import { collectGarbage } from "../../shared/common/collect-garbage.ts";
import {
  type OverloadSwitch,
  overloadPlace,
  overloadScale,
} from "../../shared/protocol/overload.ts";
import type {
  LoadShedPointName,
  MonitorConfig,
  OverloadActionName,
  OverloadConfig,
  TriggerConfig,
} from "../config/overload-manager.ts";
import type { SharedLimits } from "../workers/shared-limits.ts";
import type { WorkerPool } from "../workers/worker-pool.ts";
import type { OverloadStats } from "./overload-stats.ts";
import { pressureIn, scaleOf } from "./pressure.ts";

/** As Envoy: so often while `shrink_heap` is active. */
export const shrinkEveryMs = 10_000;

export interface OverloadManagerParts {
  readonly config: OverloadConfig;
  readonly limits: Pick<SharedLimits, "write">;
  readonly pool: Pick<WorkerPool, "post">;
  readonly stats: OverloadStats;
  readonly clock: Clock;
  /** Of the whole process. */
  readonly residentBytes: () => number;
}

const switches: Readonly<Partial<Record<OverloadActionName, OverloadSwitch>>> = {
  stop_accepting_requests: "stopAcceptingRequests",
  reject_incoming_connections: "rejectIncomingConnections",
  disable_http_keepalive: "disableHttpKeepalive",
};

const shedSwitches: Readonly<Record<LoadShedPointName, OverloadSwitch>> = {
  tcp_listener_accept: "tcpListenerAccept",
  http_connection_manager_decode_headers: "decodeHeaders",
};

export class OverloadManager implements Disposable {
  readonly #parts: OverloadManagerParts;
  readonly #pressures = new Map<string, number>();
  #isAccepting = true;
  #shrinkAtMs = Number.NEGATIVE_INFINITY;
  #isShrinking = false;
  #measuredMs: number | undefined;
  #timer: Disposable | undefined;

  constructor(parts: OverloadManagerParts) {
    this.#parts = parts;
    for (const monitor of parts.config.monitors)
      if (monitor.kind === "downstreamConnections")
        parts.limits.write(overloadPlace("connectionsMax"), monitor.max);
  }

  /** Measures at once and then every `refresh_interval`. */
  start(): void {
    this.#refresh();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #refresh(): void {
    const { config, clock, stats } = this.#parts;
    const nowMs = clock.now();
    if (this.#measuredMs !== undefined) stats.refreshed(nowMs - this.#measuredMs);
    this.#measuredMs = nowMs;
    for (const monitor of config.monitors) this.#measure(monitor);
    for (const { name, triggers } of config.actions) this.#apply(name, this.#scale(triggers));
    for (const { name, triggers } of config.loadShedPoints) {
      const scale = this.#scale(triggers);
      stats.setLoadShed(name, scale);
      this.#publish(shedSwitches[name], scale);
    }
    this.#timer = clock.startTimer(config.refreshMs, () => this.#refresh());
  }

  #measure(monitor: MonitorConfig): void {
    const { stats } = this.#parts;
    const pressure = this.#pressureOf(monitor);
    if (pressure === "notMeasured") return;
    if (pressure === undefined) return stats.failed(monitor.name);
    this.#pressures.set(monitor.name, pressure);
    stats.setPressure(monitor.name, pressure);
  }

  #pressureOf(monitor: MonitorConfig): number | "notMeasured" | undefined {
    switch (monitor.kind) {
      case "fixedHeap":
        return this.#parts.residentBytes() / monitor.bytesMax;
      case "injectedResource":
        try {
          return pressureIn(readFileSync(monitor.file, "utf8"));
        } catch {
          return undefined;
        }
      case "downstreamConnections":
        return "notMeasured";
      default:
        return monitor satisfies never;
    }
  }

  #scale(triggers: readonly TriggerConfig[]): number {
    return scaleOf(triggers, this.#pressures);
  }

  #apply(name: OverloadActionName, scale: number): void {
    this.#parts.stats.setAction(name, scale);
    const place = switches[name];
    if (place !== undefined) this.#publish(place, scale);
    else if (name === "stop_accepting_connections") this.#accept(scale < 1);
    else this.#shrink(scale >= 1);
  }

  #publish(place: OverloadSwitch, scale: number): void {
    this.#parts.limits.write(overloadPlace(place), Math.round(scale * overloadScale));
  }

  #accept(isAccepting: boolean): void {
    if (isAccepting === this.#isAccepting) return;
    this.#isAccepting = isAccepting;
    this.#parts.pool.post({ kind: "setAccepting", isAccepting });
  }

  /** Every thread collects its garbage: what else V8 would do when it sees fit. */
  #shrink(isActive: boolean): void {
    const nowMs = this.#parts.clock.now();
    if (isActive && !this.#isShrinking) this.#shrinkAtMs = nowMs + shrinkEveryMs;
    this.#isShrinking = isActive;
    if (!isActive || nowMs < this.#shrinkAtMs) return;
    this.#shrinkAtMs = nowMs + shrinkEveryMs;
    this.#parts.stats.shrunk();
    this.#parts.pool.post({ kind: "shrinkHeap" });
    collectGarbage();
  }
}
