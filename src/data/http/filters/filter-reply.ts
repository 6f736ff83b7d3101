/** A filter's answer as one of our own: what fits in no head is a fault of the filter, and is thrown. */
import type { FilterReply } from "../../../shared/http-filter/http-filter.ts";
import type { LocalReply } from "../composer/response-composer.ts";
import { judgeField } from "./field-map.ts";

export function localReplyOf({ status, body = "", fields = {} }: FilterReply): LocalReply {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    throw new RangeError(`no filter may answer with status ${status}`);
  const own = Object.entries(fields).map(
    ([name, value]) => [judgeField(name, value), value] as const,
  );
  return { status, body, fields: own };
}
