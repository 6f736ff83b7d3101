import jspb from "google-protobuf";
import type { DecodeResult } from "../../src/control/proto/decode-result.ts";
import type { ResourceType } from "../../src/control/xds/resource-batch.ts";

/** A resource as small as it can be: `name` in field 1, `text` in field 2, a set of words. `bad` does not decode. */
export function textResource(name: string, text: string): Uint8Array {
  const writer = new jspb.BinaryWriter();
  writer.writeString(1, name);
  writer.writeString(2, text);
  return writer.getResultBuffer();
}

export function textType(
  shortName: string,
  typeUrl: string,
  isFullState: boolean,
): ResourceType<string> {
  return { shortName, typeUrl, isFullState, decode, isEquivalent };
}

function isEquivalent(held: Uint8Array, received: Uint8Array): boolean {
  const [one, other] = [held, received].map((bytes) => {
    const result = decode(bytes);
    return result.ok ? result.value.split(" ").sort().join(" ") : undefined;
  });
  return one !== undefined && one === other;
}

/** Throws on bytes that are no message. */
function textOf(bytes: Uint8Array): string {
  const reader = new jspb.BinaryReader(bytes);
  while (reader.nextField()) {
    if (reader.getFieldNumber() === 2) return reader.readString();
    reader.skipField();
  }
  return "";
}

function decode(bytes: Uint8Array): DecodeResult<string> {
  try {
    const text = textOf(bytes);
    if (text.startsWith("bad")) return { ok: false, errors: [`text is ${text}`, "and so on"] };
    return { ok: true, value: text, warnings: [] };
  } catch (thrown) {
    return { ok: false, errors: [String(thrown)] };
  }
}
