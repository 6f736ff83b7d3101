/** Bytes that lie somewhere else, sent through the scratch window, behind a head that may stand there. */
import type { HeadWriter } from "../http1/head-writer.ts";

/** Around a part, for the chunked coding. */
const room = 16;

/** `send` is called at least once, and with the end once. `headEnd`: what lies before it must stay for the first call. */
export function sendThroughScratch(
  writer: HeadWriter,
  headEnd: number,
  { bytes, isEnd }: { readonly bytes: Uint8Array; readonly isEnd: boolean },
  send: (start: number, end: number, isEnd: boolean) => void,
): void {
  let at = 0;
  let start = headEnd + room;
  do {
    const size = Math.min(bytes.length - at, writer.start + writer.capacity - start - room);
    writer.bytes.set(bytes.subarray(at, at + size), start);
    at += size;
    send(start, start + size, isEnd && at === bytes.length);
    start = writer.start + room;
  } while (at < bytes.length);
}
