/**
 * Somebody who sends what nobody asked for to a generation's socket: any bytes, with any descriptors. As a program it does
 * so as another user: arguments are the user's id, the name and the bytes in hex.
 */
import { MessageArea } from "../../src/shared/io/message-area.ts";
import { errno, linux, sendmsg, socket } from "../../src/shared/io/syscalls.ts";

/** More than a generation takes at once. */
const sizes = { data: 16_384, descriptors: 20 } as const;

export class StraySender {
  readonly #fd = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
  readonly #area = new MessageArea(sizes);

  /** Abstract where it begins with `@`. */
  send(to: string, bytes: Uint8Array, descriptors: readonly number[] = []): void {
    this.#area.setName(to);
    const message = this.#area.outgoing(bytes, descriptors, true);
    if (sendmsg(this.#fd, message, linux.MSG_NOSIGNAL) < 0)
      throw new Error(`cannot send to ${to}: errno ${errno()}`);
  }
}

if (import.meta.main) {
  const [uid = "", to = "", hex = ""] = process.argv.slice(2);
  const sender = new StraySender();
  process.setuid?.(Number(uid));
  sender.send(to, Buffer.from(hex, "hex"), [0]);
}
