/** `watchdogs` (and `watchdog`, its deprecated form): how long the main thread and the workers may be silent. */
import type {
  Bootstrap,
  Watchdog,
} from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import { durationMsOr } from "../proto/duration.ts";
import type { DecodeContext } from "./decode-context.ts";

/** All in milliseconds. */
export interface WatchdogConfig {
  readonly missMs: number;
  readonly megaMissMs: number;
  /** One thread that is silent for so long ends the process; 0: none does. */
  readonly killMs: number;
  /** At most so much is added to `killMs`, so that not all proxies end at once. */
  readonly killJitterMs: number;
  /** Several that are silent for so long, and at least that share of all; 0: none do. */
  readonly multikillMs: number;
  /** 0 … 100; Envoy: 2 threads at the least. */
  readonly multikillPercent: number;
}

export interface WatchdogConfigs {
  readonly main: WatchdogConfig;
  readonly workers: WatchdogConfig;
}

export function decodeWatchdogs(message: Bootstrap, context: DecodeContext): WatchdogConfigs {
  const { watchdog, watchdogs } = message;
  if (watchdog && watchdogs) context.refuse("Only one of watchdog or watchdogs should be set!");
  return {
    main: decode(watchdogs?.mainThreadWatchdog ?? watchdog),
    workers: decode(watchdogs?.workerWatchdog ?? watchdog),
  };
}

/** With Envoy's defaults. */
function decode(message: Watchdog | undefined): WatchdogConfig {
  return {
    missMs: durationMsOr(message?.missTimeout, 200),
    megaMissMs: durationMsOr(message?.megamissTimeout, 1_000),
    killMs: durationMsOr(message?.killTimeout, 0),
    killJitterMs: durationMsOr(message?.maxKillTimeoutJitter, 0),
    multikillMs: durationMsOr(message?.multikillTimeout, 0),
    multikillPercent: message?.multikillThreshold?.value ?? 0,
  };
}
