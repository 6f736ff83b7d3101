/** `Expect: 100-continue` (RFC 9110 §10.1.1), which Envoy answers itself and does not pass on. */
import { equalsIgnoringCase, latin1 } from "../http1/ascii.ts";
import { headers } from "../http1/header-table.ts";
import { requestHead } from "../http1/request-head.ts";

const continueValue = latin1("100-continue");

/** Of the head that was parsed last: drops the field. False: there is none, or it expects what nobody knows. */
export function takeExpectation(bytes: Uint8Array): boolean {
  const { expectIndex } = requestHead;
  if (expectIndex < 0) return false;
  const start = headers.valueStart[expectIndex] as number;
  const end = headers.valueEnd[expectIndex] as number;
  if (!equalsIgnoringCase(bytes, start, end, continueValue)) return false;
  headers.isDropped[expectIndex] = 1;
  return true;
}
