/**
 * `send_fully_qualified_url`: the target in absolute form, as proxies are told it (RFC 9112 §3.2.2). `*` and the
 * authority form of CONNECT stand as they are.
 */
import { latin1 } from "./ascii.ts";
import type { HeadWriter } from "./head-writer.ts";

const hostName = latin1("\r\nhost: ");
const lineEnd = latin1("\r\n");
const schemes = { plain: latin1("http://"), secured: latin1("https://") } as const;
const [space, slash] = [0x20, 0x2f];

/** Of the head that the writer holds, whose names are in lower case. */
export function writeFullUrl(writer: HeadWriter, isSecured: boolean): void {
  const { buffer, start, at } = writer;
  const target = buffer.indexOf(space, start) + 1;
  if (buffer[target] !== slash) return;
  const head = Buffer.from(buffer.subarray(start, at));
  const host = head.indexOf(hostName);
  writer.at = target;
  writer.put(isSecured ? schemes.secured : schemes.plain);
  if (host >= 0) {
    const from = host + hostName.length;
    writer.put(head.subarray(from, head.indexOf(lineEnd, from)));
  }
  const added = writer.at - target;
  writer.put(head.subarray(target - start));
  writer.framingStart += added;
}
