/** An answer of the drains' desk as HTTP. */
import type { DrainErrorKind, DrainResult, RemainingResult } from "../listener/drain-desk.ts";
import { type AdminResponse, jsonResponse, textResponse } from "./endpoint.ts";

const statusOf: Readonly<Record<DrainErrorKind, number>> = {
  unknown: 404,
  noSuchListener: 404,
  noSuchFilterChain: 404,
  gone: 410,
  ended: 409,
  elsewhere: 409,
  notCancellable: 409,
  underWay: 409,
  outOfRange: 400,
};

export function drainResponse(result: DrainResult | RemainingResult): AdminResponse {
  if (!result.ok) return textResponse(`${result.error.text}\n`, statusOf[result.error.kind]);
  const note = "note" in result && result.note !== undefined ? { note: result.note } : {};
  return jsonResponse({ ...result.drain, ...note });
}
