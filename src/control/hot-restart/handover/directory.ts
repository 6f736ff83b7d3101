/** The directory by which processes find each other that hand over to one another, and what they wait for at most. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import type { Clock } from "../../../shared/common/clock.ts";
import { messageOf } from "../../../shared/common/errors.ts";
import type { Logger } from "../../../shared/common/log.ts";
import type { StreamPeer } from "../../../shared/io/descriptor-stream.ts";

export interface HandoverOptions {
  readonly dir: string;
  /** Of connections that the old process still has; then it ends. */
  readonly drainMs: number;
}

export interface HandoverParts {
  readonly options: HandoverOptions;
  readonly clock: Clock;
  readonly log: Logger;
  /** Of this process. */
  readonly uid: number;
}

/** Of both sockets. */
export const handoverSocketMode = 0o600;
/** Of one answer of the other process. */
export const answerMsMax = 5_000;
/** For a new process to load, warm and serve; one that takes longer has lost its turn. */
export const takeOverMsMax = 600_000;

/** First byte over reconfig.sock: sockets follow over listen.sock, or another process has come first. */
export const greeting = { yours: 1, taken: 0 } as const;
/** First byte back over listen.sock: the new process serves. */
export const servesByte = 1;

/** Where the old process is dialed. */
export function reconfigPath({ dir }: HandoverOptions): string {
  return path.join(dir, "reconfig.sock");
}

/** Where the new process is dialed back; whoever has it is the one that starts. */
export function listenPath({ dir }: HandoverOptions): string {
  return path.join(dir, "listen.sock");
}

/** Why it is of no use; undefined: it is there. */
export function prepareDir({ dir }: HandoverOptions): string | undefined {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return undefined;
  } catch (error) {
    return `cannot use --handover-dir '${dir}': ${messageOf(error)}`;
  }
}

/** Whether it is of the same user, or the superuser. */
export function isTrusted(peer: StreamPeer | undefined, uid: number): boolean {
  return peer !== undefined && (peer.uid === uid || peer.uid === 0);
}
