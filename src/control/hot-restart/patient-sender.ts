/** Writes all of it to a stream, waiting while the other does not read: for so long, and not for ever. */
import type { Clock } from "../../shared/common/clock.ts";
import { type DescriptorStream, streamPieceBytesMax } from "../../shared/io/descriptor-stream.ts";
import { errnoOf } from "../../shared/io/syscalls.ts";

const retryMs = 2;
const sendMsMax = 5_000;
/** The other's queue is full, or as many descriptors are under way as the user may have open (unix(7)). */
const passing = new Set<number>([
  errnoOf.EAGAIN,
  errnoOf.EINTR,
  errnoOf.ETOOMANYREFS,
  errnoOf.ENOBUFS,
]);

/** 0, or the errno why it was given up. */
export async function sendAll(
  stream: DescriptorStream,
  bytes: Uint8Array,
  descriptors: readonly number[],
  clock: Clock,
): Promise<number> {
  const deadline = clock.now() + sendMsMax;
  for (let at = 0; at < bytes.length;) {
    const piece = bytes.subarray(at, at + streamPieceBytesMax);
    const sent = stream.send(piece, at === 0 ? descriptors : []);
    if (sent > 0) {
      at += sent;
      continue;
    }
    if (!passing.has(-sent) || clock.now() > deadline) return -sent;
    await new Promise<void>((resolve) => void clock.startTimer(retryMs, resolve));
  }
  return 0;
}
