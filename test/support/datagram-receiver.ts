/** Takes what is sent to an AF_UNIX datagram socket, as a service manager does. For Linux alone. */
import assert from "node:assert/strict";
import { encodeAddress } from "../../src/shared/io/socket-address.ts";
import { bind, close, linux, mapMemory, recv, socket } from "../../src/shared/io/syscalls.ts";
import { SystemArea } from "../../src/shared/io/system-area.ts";

export class DatagramReceiver implements Disposable {
  readonly #fd: number;
  readonly #memory = mapMemory(4096);

  /** `path` begins with `@` where it is abstract. */
  constructor(path: string) {
    const area = new SystemArea();
    this.#fd = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
    const length = encodeAddress(area, { kind: "pipe", path, mode: 0 });
    assert.equal(bind(this.#fd, area.addressAddress, length), 0);
  }

  /** The next one that has come; undefined where none has yet. */
  take(): string | undefined {
    assert(this.#memory);
    const length = recv(this.#fd, this.#memory.address, 4096, 0);
    if (length < 0) return undefined;
    return Buffer.from(this.#memory.buffer, 0, length).toString("utf8");
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}
