/** Messages from the wire. What comes from a peer never throws: it is a value, or the reason against it. */
import { fromBinary } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { messageOf } from "../../shared/common/errors.ts";

export type ReadResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: readonly string[] };

/**
 * Unknown fields are kept (`$unknown`), so that bytes which we show or pass on are whole; counting them
 * is the field policy's work.
 */
export function readBinary<T extends Message>(
  schema: GenMessage<T>,
  bytes: Uint8Array,
): ReadResult<T> {
  try {
    return { ok: true, value: fromBinary(schema, bytes) };
  } catch (thrown) {
    return { ok: false, errors: [`Unable to parse as ${schema.typeName}: ${messageOf(thrown)}`] };
  }
}
