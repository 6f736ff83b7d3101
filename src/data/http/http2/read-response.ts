/**
 * Makes of a staged header block the response head that all else works on (RFC 9113 §8.3.2), as HTTP/1 would have been
 * parsed: a status, and rows of the header table.
 */
import { parseDecimal } from "../http1/ascii.ts";
import { headers } from "../http1/header-table.ts";
import { knownHeader } from "../http1/known-headers.ts";
import { responseHead } from "../http1/response-head.ts";
import { pseudo } from "./header-entry.ts";
import type { HeaderStage } from "./header-stage.ts";

/** After `stage.finish`. False: it is malformed. `isEnd`: no body follows. */
export function readResponse(stage: HeaderStage, isEnd: boolean): boolean {
  const { bytes, pseudoStart, pseudoEnd } = stage;
  if (stage.isMalformed) return false;
  for (let kind = 1; kind < pseudoStart.length; kind++) {
    if (kind !== pseudo.status && (pseudoStart[kind] as number) >= 0) return false;
  }
  const start = pseudoStart[pseudo.status] as number;
  const end = pseudoEnd[pseudo.status] as number;
  const status = start < 0 || end - start !== 3 ? -1 : parseDecimal(bytes, start, end);
  // Switching protocols is not HTTP/2's (§8.6).
  if (status < 100 || status === 101 || (status < 200 && isEnd)) return false;
  responseHead.status = status;
  responseHead.minorVersion = 1;
  responseHead.statusStart = 0;
  responseHead.statusEnd = 0;
  responseHead.locate();
  return readLength(bytes);
}

function readLength(bytes: Uint8Array): boolean {
  const { fields } = responseHead;
  fields.clear();
  const isBodyless = responseHead.status === 204;
  for (let i = 0; i < headers.count; i++) {
    if (headers.id[i] !== knownHeader["content-length"]) continue;
    const length = parseDecimal(
      bytes,
      headers.valueStart[i] as number,
      headers.valueEnd[i] as number,
    );
    if (length < 0 || fields.contentLength >= 0) return false;
    fields.contentLength = length;
    // There is nothing to have a length (RFC 9110 §8.6): 0 does no harm, and is not passed on.
    if (isBodyless && length > 0) return false;
    if (isBodyless) headers.isDropped[i] = 1;
  }
  return true;
}
