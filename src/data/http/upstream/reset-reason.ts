/**
 * Why an upstream request ended without a whole response (Envoy: `StreamResetReason`), with what the
 * client is told of it: status, flag, and the words in the body.
 */
import type { ResponseFlag } from "../../network/stream-info.ts";

export type ResetReason =
  /** The host refused or could not be reached. */
  | "connectionFailure"
  | "connectionTimeout"
  /** The connection ended with the request on it. */
  | "connectionTermination"
  | "overflow"
  /** The host reset the stream. */
  | "remoteReset"
  /** The same, before it looked at it. */
  | "refusedStream"
  /** The same, of what a CONNECT leads to. */
  | "connectError"
  | "protocolError";

interface ResetAnswer {
  readonly status: number;
  readonly flag: ResponseFlag;
  /** In `reset reason: …`. */
  readonly words: string;
  /** `response_code_details` follow Envoy's `upstream_reset_before_response_started{…}`. */
  readonly details: string;
}

export const resetAnswers: Readonly<Record<ResetReason, ResetAnswer>> = {
  connectionFailure: answer(503, "UF", "remote connection failure"),
  connectionTimeout: answer(503, "UF", "connection timeout"),
  connectionTermination: answer(503, "UC", "connection termination"),
  overflow: answer(503, "UO", "overflow"),
  remoteReset: answer(503, "UR", "remote reset"),
  refusedStream: answer(503, "UR", "remote refused stream reset"),
  connectError: answer(503, "UR", "remote error with CONNECT request"),
  protocolError: answer(502, "UPE", "protocol error"),
};

function answer(status: number, flag: ResponseFlag, words: string): ResetAnswer {
  const details = `upstream_reset_before_response_started{${words.replaceAll(" ", "_")}}`;
  return { status, flag, words, details };
}

/** The local reply's body (Envoy: `Filter::onUpstreamReset`). The transport's reason is for logs alone. */
export function resetBody(reason: ResetReason, wasRetried: boolean): string {
  const latest = wasRetried ? "retried and the latest reset reason" : "reset reason";
  return (
    "upstream connect error or disconnect/reset before headers. " +
    `${latest}: ${resetAnswers[reason].words}`
  );
}

/** With the transport's reason behind the reset's, where there is one. */
export function resetDetails(reason: ResetReason, transportFailure: string): string {
  const { details } = resetAnswers[reason];
  return transportFailure === "" ? details : details.replace("}", `|${transportFailure}}`);
}
