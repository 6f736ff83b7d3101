/**
 * Datagrams to an AF_UNIX socket, as sd_notify(3) sends them: Node has none. Seldom, so each has a socket of its own,
 * and a receiver that was replaced meanwhile is found again.
 */
import { assert } from "../common/assert.ts";
import { encodeAddress } from "./socket-address.ts";
import { close, connect, errno, linux, mapMemory, send, socket, strerror } from "./syscalls.ts";
import { SystemArea } from "./system-area.ts";

const textBytesMax = 4096;

export class DatagramSender {
  readonly #path: string;
  readonly #area = new SystemArea();
  readonly #address: number;
  readonly #bytes: Uint8Array;

  /** `path` begins with `@` where it is abstract. */
  constructor(path: string) {
    const mapping = mapMemory(textBytesMax);
    assert(mapping, "no memory for datagrams");
    this.#path = path;
    this.#address = mapping.address;
    this.#bytes = new Uint8Array(mapping.buffer);
  }

  /** Undefined: sent. Else why not; it never waits. A text above 4 KiB is cut. */
  send(text: string): string | undefined {
    const { written } = new TextEncoder().encodeInto(text, this.#bytes);
    const fd = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
    if (fd < 0) return strerror(errno());
    const failure = this.#sendFrom(fd, written);
    close(fd);
    return failure;
  }

  #sendFrom(fd: number, length: number): string | undefined {
    const addressBytes = encodeAddress(this.#area, { kind: "pipe", path: this.#path, mode: 0 });
    if (addressBytes === 0) return `'${this.#path}' is too long for a socket`;
    if (connect(fd, this.#area.addressAddress, addressBytes) !== 0) return strerror(errno());
    const sent = send(fd, this.#address, length, linux.MSG_NOSIGNAL);
    return sent === length ? undefined : strerror(errno());
  }
}
