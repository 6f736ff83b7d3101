/** Why a request is over although nobody has answered it, or not to its end. */
import type { ResponseFlag } from "../../network/stream-info.ts";
import { httpStat } from "../stat-offsets.ts";

export interface Abort {
  /** Where the connection manager counts it. */
  readonly offset: number;
  readonly flag: ResponseFlag;
  readonly details: string;
}

/** The client went away. */
export const clientGone: Abort = {
  offset: httpStat.rqRxReset,
  flag: "DC",
  details: "downstream_remote_disconnect",
};

/** The client gave it up; its connection stays. */
export const resetByClient: Abort = {
  offset: httpStat.rqRxReset,
  flag: "DR",
  details: "http2.remote_reset",
};

/** We give it up, for what the client sent makes no sense; nobody is told but by the codec. */
export function resetByCodec(details: string): Abort {
  return { offset: httpStat.rqTxReset, flag: "DPE", details };
}
