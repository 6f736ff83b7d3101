/** Listening sockets as messages, so many at a time as the kernel takes. */
import { descriptorsPerSendMax } from "../../../shared/io/descriptor-stream.ts";
import { type PassedSocket, encodeMessage, handoverVersion, socketsPerFrame } from "./messages.ts";

export interface OwnSocket extends PassedSocket {
  /** Stays ours. */
  readonly descriptor: number;
}

export interface SocketFrame {
  readonly bytes: Uint8Array;
  readonly descriptors: readonly number[];
}

/** One at least, so that no sockets are an answer, too. */
export function* framesOf(sockets: readonly OwnSocket[]): Iterable<SocketFrame> {
  const perFrame = Math.min(socketsPerFrame, descriptorsPerSendMax);
  for (let at = 0; at === 0 || at < sockets.length; at += perFrame) {
    const some = sockets.slice(at, at + perFrame);
    yield {
      bytes: encodeMessage({
        kind: "sockets",
        version: handoverVersion,
        total: sockets.length,
        sockets: some.map(({ address, worker, role }) => ({ address, worker, role })),
      }),
      descriptors: some.map(({ descriptor }) => descriptor),
    };
  }
}
