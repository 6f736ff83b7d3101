/**
 * An AF_UNIX datagram socket that carries descriptors (unix(7): SCM_RIGHTS) and says which user each datagram is from
 * (SO_PASSCRED). For processes that hand listening sockets to each other; on the main thread, seldom, so each has
 * memory of its own.
 *
 * An abstract name is the whole of `sun_path`, zeros at its end included: Envoy binds and calls it so, and a name
 * that is cut to its length is another name.
 */
import { rmSync } from "node:fs";
import { assert } from "../common/assert.ts";
import {
  type DescriptorWatch,
  bind,
  chmod,
  close,
  connect,
  errno,
  errnoOf,
  linux,
  recvmsg,
  sendmsg,
  socket,
  watchReadable,
} from "./syscalls.ts";
import { MessageArea, type MessageSender, isAbstract, nameBytes } from "./message-area.ts";
import { SystemArea } from "./system-area.ts";

/** Longest datagram that is sent or taken. */
export const datagramBytesMax = 4096;
/** Datagrams that one wake-up reads; the rest at the next. */
const batchMax = 64;

/** More than Envoy ever sends with one. */
const sizes = { data: datagramBytesMax, descriptors: 20 } as const;

export interface Datagram {
  readonly bytes: Uint8Array;
  /** The receiver's to close. */
  readonly descriptors: readonly number[];
  /** Undefined where the kernel did not say. */
  readonly sender: MessageSender | undefined;
  /** Longer than `datagramBytesMax`, or with more descriptors than were asked for. */
  readonly isCut: boolean;
}

export type DescriptorSocketResult =
  | { readonly ok: true; readonly socket: DescriptorSocket }
  | { readonly ok: false; readonly errno: number };

export class DescriptorSocket implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #area = new MessageArea(sizes);
  #watch: DescriptorWatch | undefined;

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /** `path` begins with `@` where it is abstract; else it is a file, with `mode`. One that nobody answers on is replaced. */
  static bind(path: string, mode: number): DescriptorSocketResult {
    const fd = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
    if (fd < 0) return { ok: false, errno: errno() };
    const bound = new DescriptorSocket(fd, path);
    const error = bound.#bind(mode);
    if (error === 0) return { ok: true, socket: bound };
    close(fd);
    return { ok: false, errno: error };
  }

  /** Calls back for each datagram from now on. */
  onDatagram(handle: (datagram: Datagram) => void): void {
    this.#watch = watchReadable(this.#fd, () => {
      for (let i = 0; i < batchMax; i++) {
        const datagram = this.#receive();
        if (datagram === undefined) return;
        handle(datagram);
      }
    });
  }

  /** 0, or the errno: EAGAIN while the other's queue is full, ECONNREFUSED or ENOENT where nobody is. */
  send(to: string, bytes: Uint8Array, descriptor?: number): number {
    assert(bytes.length <= datagramBytesMax, "a datagram is too long");
    if (!this.#area.setName(to)) return errnoOf.EINVAL;
    const descriptors = descriptor === undefined ? [] : [descriptor];
    const message = this.#area.outgoing(bytes, descriptors, true);
    const sent = sendmsg(this.#fd, message, linux.MSG_NOSIGNAL);
    return sent < 0 ? errno() : 0;
  }

  /** Whether a socket is bound to `path`; nothing is sent. */
  isThere(path: string): boolean {
    return this.#area.setName(path) && this.#isAnswered();
  }

  [Symbol.dispose](): void {
    this.#watch?.close();
    this.#watch = undefined;
    close(this.#fd);
    if (!isAbstract(this.#path)) rmSync(this.#path, { force: true });
  }

  #bind(mode: number): number {
    new SystemArea().setOption(this.#fd, linux.SOL_SOCKET, linux.SO_PASSCRED, 1);
    const isFile = !isAbstract(this.#path);
    if (!this.#area.setName(this.#path)) return errnoOf.EINVAL;
    const address = this.#area.nameAddress;
    if (bind(this.#fd, address, nameBytes) !== 0) {
      const error = errno();
      if (error !== errnoOf.EADDRINUSE || !isFile || this.#isAnswered()) return error;
      rmSync(this.#path, { force: true });
      if (bind(this.#fd, address, nameBytes) !== 0) return errno();
    }
    return isFile && chmod(this.#path, mode) !== 0 ? errno() : 0;
  }

  /** A socket file outlives its socket: then nobody can be called there. */
  #isAnswered(): boolean {
    const probe = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
    const error = connect(probe, this.#area.nameAddress, nameBytes) === 0 ? 0 : errno();
    close(probe);
    return error !== errnoOf.ECONNREFUSED && error !== errnoOf.ENOENT;
  }

  #receive(): Datagram | undefined {
    const length = recvmsg(this.#fd, this.#area.incoming(), linux.MSG_CMSG_CLOEXEC);
    if (length < 0) return undefined;
    return { bytes: this.#area.data(length), ...this.#area.control(), isCut: this.#area.isCut };
  }
}

/** Of descriptors that nobody wants. */
export function closeDescriptors(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) close(descriptor);
}
