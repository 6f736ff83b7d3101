/** How a head is answered that could not be read. */
import type { LocalReplyReason } from "../composer/local-replies.ts";
import { headProblem } from "./request-head.ts";

export const refusals: ReadonlyMap<number, LocalReplyReason> = new Map([
  [headProblem.malformed, "malformed"],
  [headProblem.tooMany, "tooManyHeaders"],
  [headProblem.contentLength, "contentLength"],
  [headProblem.transferEncoding, "transferEncoding"],
  [headProblem.lengthAndChunked, "lengthAndChunked"],
  [headProblem.nominatedHeader, "nominatedHeader"],
  [headProblem.host, "malformed"],
]);
