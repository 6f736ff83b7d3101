/**
 * When a start has succeeded. Of Envoy and Sluice the admin knows (`/server_info`): LIVE, and of the right epoch, for until
 * a child takes the admin over, the parent answers there. Of other programs only time can tell: they have not died yet.
 */
import { readFileSync } from "node:fs";
import type { Clock } from "../../shared/common/clock.ts";
import { AdminConnection } from "../admin-connection.ts";

/** Whether an epoch serves by now. Never rejects. */
export type Probe = () => Promise<boolean>;

const probeEveryMs = 100;
const answerMsMax = 2000;

/** Asks until the answer is yes, or for `timeoutMs`. */
export function awaitProbe(
  clock: Clock,
  { probe, timeoutMs }: { readonly probe: Probe; readonly timeoutMs: number },
  onResult: (isReady: boolean) => void,
): Disposable {
  const deadlineMs = clock.now() + timeoutMs;
  let isOver = false;
  let timer: Disposable | undefined;
  const ask = async (): Promise<void> => {
    const isReady = await probe();
    if (isOver) return;
    if (isReady || clock.now() >= deadlineMs) {
      isOver = true;
      onResult(isReady);
      return;
    }
    timer = clock.startTimer(probeEveryMs, () => void ask());
  };
  timer = clock.startTimer(probeEveryMs, () => void ask());
  return {
    [Symbol.dispose]: () => {
      isOver = true;
      timer?.[Symbol.dispose]();
    },
  };
}

/** Of an admin whose address is known, or will be in a file that the child writes. */
export interface AdminPlace {
  readonly kind: "address" | "file";
  readonly text: string;
}

/** Whether the process that answers is the one that was started, not its parent. */
export type IsOurs = (info: ServerInfo) => boolean;

export interface ServerInfo {
  readonly state?: string;
  /** `12s`; whole seconds, rounded down. */
  readonly uptime_current_epoch?: string;
  readonly command_line_options?: { readonly restart_epoch?: number };
}

/** Of a process that was told its epoch. */
export function answersFor(epoch: number): IsOurs {
  return ({ command_line_options: options }) => Number(options?.restart_epoch ?? 0) === epoch;
}

/** Of any other, one that was started then, which was before it could run: who is older than that is its parent. */
export function startedAt(clock: Clock, startedMs: number): IsOurs {
  return ({ uptime_current_epoch: uptime = "" }) =>
    !(Number.parseFloat(uptime) * 1000 > clock.now() - startedMs);
}

export function adminProbe(place: AdminPlace, isOurs: IsOurs): Probe {
  return async () => {
    try {
      const address = place.kind === "address" ? place.text : readFileSync(place.text, "utf8");
      const admin = new AdminConnection(address.trim());
      const info = await admin.json<ServerInfo>("/server_info", { timeoutMs: answerMsMax });
      return info.state === "LIVE" && isOurs(info);
    } catch {
      // Nobody there yet, or half a file.
      return false;
    }
  };
}
