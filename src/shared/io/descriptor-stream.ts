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
  mapMemory,
  recvmsg,
  sendmsg,
  socket,
  watchReadable,
} from "./syscalls.ts";

/** The kernel takes 253 at once (SCM_MAX_FD). */
export const descriptorsPerSendMax = 200;
/** Of one call. */
export const streamPieceBytesMax = 32 * 1024;
/** Pieces that one wake-up reads; the rest at the next. */
const batchMax = 64;
const backlog = 16;

const pathBytes = 108;
const nameBytes = 2 + pathBytes;
const controlHeaderBytes = 16;
/** One more than `descriptorsPerSendMax`, for a peer that sends all that the kernel takes. */
const controlBytes = controlHeaderBytes + 256 * 4;
const layout = { data: 0, control: 32_768, name: 34_816, vector: 35_072, message: 35_136 } as const;
const areaBytes = 36_864;

/** Whoever is at the other end. */
export interface StreamPeer {
  readonly pid: number;
  readonly uid: number;
}

/** `end`: nothing more comes, as the other closed it or died. */
export type StreamPiece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array; readonly descriptors: readonly number[] }
  | { readonly kind: "end" };

/** What system calls read and write; of one thread, and free again when a call returns. */
class MessageArea {
  readonly memory: Uint8Array;
  readonly view: DataView;
  readonly base: number;

  constructor() {
    const mapping = mapMemory(areaBytes);
    assert(mapping, "no memory for a stream of descriptors");
    this.memory = new Uint8Array(mapping.buffer);
    this.view = new DataView(mapping.buffer);
    this.base = mapping.address;
  }

  /** False where it is too long. */
  setName(path: string): boolean {
    const bytes = Buffer.from(path, "utf8");
    if (bytes.length >= pathBytes) return false;
    this.memory.fill(0, layout.name, layout.name + nameBytes);
    this.view.setUint16(layout.name, linux.AF_UNIX, true);
    this.memory.set(bytes, layout.name + 2);
    return true;
  }

  get nameAddress(): number {
    return this.base + layout.name;
  }

  /** Fills struct msghdr and its vector. */
  describe(data: number, control: number): number {
    const at = layout.message;
    this.memory.fill(0, at, at + 56);
    this.view.setBigUint64(at + 16, BigInt(this.base + layout.vector), true);
    this.view.setBigUint64(at + 24, 1n, true);
    if (control > 0) this.view.setBigUint64(at + 32, BigInt(this.base + layout.control), true);
    this.view.setBigUint64(at + 40, BigInt(control), true);
    this.view.setBigUint64(layout.vector, BigInt(this.base + layout.data), true);
    this.view.setBigUint64(layout.vector + 8, BigInt(data), true);
    return this.base + at;
  }

  /** cmsg(3): nothing but SCM_RIGHTS is asked for, so there is one header at most. */
  readDescriptors(): readonly number[] {
    const size = Number(this.view.getBigUint64(layout.control, true));
    const given = Number(this.view.getBigUint64(layout.message + 40, true));
    const end = Math.min(size, given, controlBytes);
    if (end < controlHeaderBytes) return [];
    if (this.view.getInt32(layout.control + 12, true) !== linux.SCM_RIGHTS) return [];
    return Array.from({ length: (end - controlHeaderBytes) >> 2 }, (_, i) =>
      this.view.getInt32(layout.control + controlHeaderBytes + i * 4, true),
    );
  }
}

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
  static connect(path: string, area = new MessageArea()): DescriptorStream | number {
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
    const { view, base } = this.#area;
    view.setUint32(layout.name, 12, true);
    const [value, length] = [base + layout.data, base + layout.name];
    if (getsockopt(this.#fd, linux.SOL_SOCKET, linux.SO_PEERCRED, value, length) !== 0)
      return undefined;
    return { pid: view.getInt32(layout.data, true), uid: view.getUint32(layout.data + 4, true) };
  }

  /** How many bytes were taken; below 0 the errno, negated: EAGAIN while the other does not read. */
  send(bytes: Uint8Array, descriptors: readonly number[] = []): number {
    assert(descriptors.length <= descriptorsPerSendMax, "too many descriptors at once");
    if (this.#isClosed) return -errnoOf.EPIPE;
    const { memory, view } = this.#area;
    const piece = bytes.subarray(0, streamPieceBytesMax);
    memory.set(piece, layout.data);
    const size = controlHeaderBytes + descriptors.length * 4;
    view.setBigUint64(layout.control, BigInt(size), true);
    view.setInt32(layout.control + 8, linux.SOL_SOCKET, true);
    view.setInt32(layout.control + 12, linux.SCM_RIGHTS, true);
    for (const [i, descriptor] of descriptors.entries())
      view.setInt32(layout.control + controlHeaderBytes + i * 4, descriptor, true);
    const control = descriptors.length === 0 ? 0 : (size + 7) & ~7;
    const message = this.#area.describe(piece.length, control);
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

  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watch?.close();
    this.#watch = undefined;
    close(this.#fd);
  }

  /** Undefined: not yet. */
  #receive(): StreamPiece | undefined {
    const message = this.#area.describe(streamPieceBytesMax, controlBytes);
    const length = recvmsg(this.#fd, message, linux.MSG_CMSG_CLOEXEC);
    if (length < 0) {
      const error = errno();
      return error === errnoOf.EAGAIN || error === errnoOf.EINTR ? undefined : { kind: "end" };
    }
    if (length === 0) return { kind: "end" };
    const bytes = this.#area.memory.slice(layout.data, layout.data + length);
    return { kind: "bytes", bytes, descriptors: this.#area.readDescriptors() };
  }
}

/** Where others dial. Its file goes with it, unless another process has put its own there. */
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
   * A file that nobody answers at is replaced; `takes`: one that somebody does, too. A number is the errno: EADDRINUSE
   * where somebody answers.
   */
  static listen(path: string, mode: number, takes = false): DescriptorServer | number {
    const area = new MessageArea();
    if (takes || isDead(path, area)) rmSync(path, { force: true });
    if (!area.setName(path)) return errnoOf.EINVAL;
    const fd = socket(linux.AF_UNIX, linux.SOCK_STREAM | linux.SOCK_OURS, 0);
    if (fd < 0) return errno();
    if (bind(fd, area.nameAddress, nameBytes) === 0) {
      if (chmod(path, mode) === 0 && listen(fd, backlog) === 0)
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
    if (inodeOf(this.#path) === this.#inode) rmSync(this.#path, { force: true });
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
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? 0n;
}
