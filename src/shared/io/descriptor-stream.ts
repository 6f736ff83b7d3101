/**
 * AF_UNIX streams at socket files, which carry descriptors (unix(7): SCM_RIGHTS) and know who is at the other end
 * (SO_PEERCRED: as it was when the other dialed or listened). For processes that hand over sockets; on the main thread,
 * seldom, so each has memory of its own.
 *
 * A stream keeps no messages apart, but descriptors stay with the first byte that they were sent with.
 */
import { rmSync, statSync } from "node:fs";
import { assert } from "../common/assert.ts";
import {
  type DescriptorWatch,
  accept4,
  bind,
  chmod,
  close,
  connect,
  errno,
  errnoOf,
  fcntl,
  getsockopt,
  linux,
  listen,
  recvmsg,
  sendmsg,
  shutdown,
  socket,
  watchReadable,
} from "./syscalls.ts";
import { MessageArea, isAbstract, nameBytes } from "./message-area.ts";

/** The kernel takes 253 at once (SCM_MAX_FD). */
export const descriptorsPerSendMax = 200;
/** Of one call. */
export const streamPieceBytesMax = 32 * 1024;
/** Pieces that one wake-up reads; the rest at the next. */
const batchMax = 64;
const backlog = 16;
/** Of struct ucred. */
const peerBytes = 12;

/** Of data; and of descriptors all that the kernel takes. */
const sizes = { data: streamPieceBytesMax, descriptors: 253 } as const;

/** Whoever is at the other end. */
export interface StreamPeer {
  readonly pid: number;
  readonly uid: number;
}

/** `end`: nothing more comes, as the other closed it or died. */
export type StreamPiece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly descriptors: readonly number[] }
  | { readonly kind: "end" };

export class DescriptorStream implements Disposable {
  readonly #fd: number;
  readonly #area: MessageArea;
  #watch: DescriptorWatch | undefined;
  #isClosed = false;

  constructor(fd: number, area: MessageArea) {
    this.#fd = fd;
    this.#area = area;
  }

  /** A number is the errno: ENOENT or ECONNREFUSED where nobody listens. */
  static connect(path: string, area = new MessageArea(sizes)): DescriptorStream | number {
    if (!area.setName(path)) return errnoOf.EINVAL;
    const fd = socket(linux.AF_UNIX, linux.SOCK_STREAM | linux.SOCK_OURS, 0);
    if (fd < 0) return errno();
    if (connect(fd, area.nameAddress, nameBytes) === 0) return new DescriptorStream(fd, area);
    const error = errno();
    close(fd);
    return error;
  }

  /** Undefined where the kernel does not say. */
  get peer(): StreamPeer | undefined {
    const { view, dataAddress, nameAddress, nameAt } = this.#area;
    view.setUint32(nameAt, peerBytes, true);
    const option = [linux.SOL_SOCKET, linux.SO_PEERCRED] as const;
    if (getsockopt(this.#fd, ...option, dataAddress, nameAddress) !== 0) return undefined;
    return { pid: view.getInt32(0, true), uid: view.getUint32(4, true) };
  }

  /** By this side, or because the other's end was read. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** How many bytes were taken; below 0 the errno, negated: EAGAIN while the other does not read. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): number {
    assert(descriptors.length <= descriptorsPerSendMax, "too many descriptors at once");
    if (this.#isClosed) return -errnoOf.EPIPE;
    const message = this.#area.outgoing(bytes.subarray(0, streamPieceBytesMax), descriptors);
    const sent = sendmsg(this.#fd, message, linux.MSG_NOSIGNAL);
    return sent < 0 ? -errno() : sent;
  }

  /** Calls back for all that comes from now on; the descriptors are the receiver's. Nothing comes after the end. */
  onPiece(handle: (piece: StreamPiece) => void): void {
    this.#watch = watchReadable(this.#fd, () => {
      for (let i = 0; i < batchMax && !this.#isClosed; i++) {
        const piece = this.#receive();
        if (piece === undefined) return;
        if (piece.kind === "end") this[Symbol.dispose]();
        handle(piece);
      }
    });
  }

  /** The other can say nothing more; what it has said by now still comes, and then the end. */
  stopReceiving(): void {
    if (!this.#isClosed) shutdown(this.#fd, linux.SHUT_RD);
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.close();
    this.#watch = undefined;
    close(this.#fd);
  }

  /** Undefined: not yet. */
  #receive(): StreamPiece | undefined {
    const length = recvmsg(this.#fd, this.#area.incoming(), linux.MSG_CMSG_CLOEXEC);
    if (length < 0) {
      const error = errno();
      return error === errnoOf.EAGAIN || error === errnoOf.EINTR ? undefined : { kind: "end" };
    }
    if (length === 0) return { kind: "end" };
    const { descriptors } = this.#area.control();
    return { kind: "bytes", bytes: this.#area.data(length), descriptors };
  }
}

/** Where others dial. Its file, if it has one, goes with it, unless another process has put its own there. */
export class DescriptorServer implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #inode: bigint;
  readonly #area: MessageArea;
  #watch: DescriptorWatch | undefined;
  #isClosed = false;

  private constructor(fd: number, path: string, area: MessageArea) {
    this.#fd = fd;
    this.#path = path;
    this.#area = area;
    this.#inode = inodeOf(path);
  }

  /**
   * `path` begins with `@` where it is abstract, and is of no file: `mode` is that of a file. A file that nobody answers at is replaced; `takes`: one that somebody does, too. A number is the errno: EADDRINUSE
   * where somebody answers.
   */
  static listen(path: string, mode: number, takes = false): DescriptorServer | number {
    const area = new MessageArea(sizes);
    const isFile = !isAbstract(path);
    if (isFile && (takes || isDead(path, area))) rmSync(path, { force: true });
    if (!area.setName(path)) return errnoOf.EINVAL;
    const fd = socket(linux.AF_UNIX, linux.SOCK_STREAM | linux.SOCK_OURS, 0);
    if (fd < 0) return errno();
    if (bind(fd, area.nameAddress, nameBytes) === 0) {
      if ((!isFile || chmod(path, mode) === 0) && listen(fd, backlog) === 0)
        return new DescriptorServer(fd, path, area);
    }
    const error = errno();
    close(fd);
    return error;
  }

  /** As `DescriptorStream.connect`, in this one's memory. */
  connect(path: string): DescriptorStream | number {
    return DescriptorStream.connect(path, this.#area);
  }

  onStream(handle: (stream: DescriptorStream) => void): void {
    this.#watch = watchReadable(this.#fd, () => {
      for (let i = 0; i < backlog; i++) {
        const fd = accept4(this.#fd, 0, 0, linux.SOCK_OURS);
        if (fd < 0) return;
        handle(new DescriptorStream(fd, this.#area));
      }
    });
  }

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.close();
    this.#watch = undefined;
    if (this.#inode !== 0n && inodeOf(this.#path) === this.#inode)
      rmSync(this.#path, { force: true });
    close(this.#fd);
  }
}

/** Another descriptor of the same socket; undefined where there is no room for one. */
export function duplicate(descriptor: number): number | undefined {
  const fd = fcntl(descriptor, linux.F_DUPFD_CLOEXEC, 0);
  return fd < 0 ? undefined : fd;
}

/** A socket file outlives its socket. */
function isDead(path: string, area: MessageArea): boolean {
  const probe = DescriptorStream.connect(path, area);
  if (typeof probe === "number") return probe === errnoOf.ECONNREFUSED;
  probe[Symbol.dispose]();
  return false;
}

function inodeOf(path: string): bigint {
  if (isAbstract(path)) return 0n;
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? 0n;
}
