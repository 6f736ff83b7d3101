/** METADATA as tests send and read it. */
import hpack from "hpack.js";
import { flag, frameType } from "../../src/data/http/http2/frames.ts";
import { block, type Fields, frame, type RawFrame } from "./raw-http2.ts";

export const metadata = (id: number, fields: Fields, flags: number = flag.endMetadata): Buffer =>
  frame(frameType.metadata, flags, id, block(fields));

/** What heads, data, METADATA and resets say, one behind the other. */
export function frameWords(frames: readonly RawFrame[]): readonly string[] {
  const words: string[] = [];
  let pending: Buffer[] = [];
  for (const { type, flags, payload } of frames) {
    const isEnd = (flags & flag.endStream) !== 0 ? " end" : "";
    if (type === frameType.headers) words.push(`head${isEnd}`);
    // An end of its own says no more than one with the last bytes.
    else if (type === frameType.data && payload.length === 0) words.push(`${words.pop()}${isEnd}`);
    else if (type === frameType.data) words.push(`data ${short(payload.toString())}${isEnd}`);
    else if (type === frameType.rstStream) words.push("reset");
    else if (type === frameType.metadata) {
      pending.push(payload);
      if (flags !== flag.endMetadata) continue;
      words.push(fieldsOf(Buffer.concat(pending)));
      pending = [];
    }
  }
  return words;
}

export const isLastFrame = ({ type, flags }: RawFrame): boolean =>
  type === frameType.rstStream || (type <= frameType.headers && (flags & flag.endStream) !== 0);

function fieldsOf(bytes: Buffer): string {
  const decoder = hpack.decompressor.create({ table: { maxSize: 4096 } });
  decoder.write(bytes);
  decoder.execute();
  const fields: string[] = [];
  for (let each = decoder.read(); each !== null; each = decoder.read())
    fields.push(`${each.name}=${short(each.value)}`);
  // Envoy keeps no order.
  return fields.toSorted((one, other) => (one < other ? -1 : 1)).join(" ");
}

function short(text: string): string {
  return text.length > 40 ? `${text.length} bytes` : text;
}
