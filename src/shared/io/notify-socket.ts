/** The service manager that this process was started by, if it wants to be told anything (sd_notify(3)). */
import type { Clock } from "../common/clock.ts";
import { ServiceManager, watchdogSpanMs } from "../common/service-manager.ts";
import { DatagramSender } from "./datagram-sender.ts";

export interface NotifySocketParts {
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  readonly clock: Clock;
  /** `why` it cannot be told. */
  readonly onFailure: (why: string) => void;
}

/** Undefined: nobody wants to be told. It is told that this process lives where it asks for that. */
export function openServiceManager(parts: NotifySocketParts): ServiceManager | undefined {
  const { env, pid, clock, onFailure } = parts;
  const path = env["NOTIFY_SOCKET"];
  if (path === undefined || path === "") return undefined;
  const sender = new DatagramSender(path);
  const manager = new ServiceManager({
    clock,
    send: (text) => sender.send(text),
    pid,
    monotonicUs: () => process.hrtime.bigint() / 1000n,
    onFailure: (why) => onFailure(`the service manager at ${path} cannot be told: ${why}`),
  });
  const spanMs = watchdogSpanMs(env, pid);
  if (spanMs !== undefined) manager.startHeartbeat(spanMs);
  return manager;
}
