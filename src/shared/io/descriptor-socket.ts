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
  mapMemory,
  recvmsg,
  sendmsg,
  socket,
  watchReadable,
} from "./syscalls.ts";
import { SystemArea } from "./system-area.ts";

/** Longest datagram that is sent or taken. */
export const datagramBytesMax = 4096;
/** Datagrams that one wake-up reads; the rest at the next. */
const batchMax = 64;

const pathBytes = 108;
const nameBytes = 2 + pathBytes;
const controlHeaderBytes = 16;
const controlBytes = 128;
const layout = { data: 0, control: 4352, name: 4480, vector: 4608, message: 4640, bytes: 8192 };

export interface Datagram {
  readonly bytes: Uint8Array;
  /** The receiver's to close. */
  readonly descriptors: readonly number[];
  /** Who sent it; undefined where the kernel did not say. */
  readonly sender: { readonly pid: number; readonly uid: number } | undefined;
  /** Longer than `datagramBytesMax`, or with more descriptors than were asked for. */
  readonly isCut: boolean;
}

export type DescriptorSocketResult =
  | { readonly ok: true; readonly socket: DescriptorSocket }
  | { readonly ok: false; readonly errno: number };

export class DescriptorSocket implements Disposable {
  readonly #fd: number;
  readonly #path: string;
  readonly #memory: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;
  #watch: DescriptorWatch | undefined;

  private constructor(fd: number, path: string) {
    const mapping = mapMemory(layout.bytes);
    assert(mapping, "no memory for a datagram socket");
    this.#fd = fd;
    this.#path = path;
    this.#memory = new Uint8Array(mapping.buffer);
    this.#view = new DataView(mapping.buffer);
    this.#base = mapping.address;
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
    const name = this.#setName(to);
    if (name === 0) return errnoOf.EINVAL;
    this.#memory.set(bytes, layout.data);
    this.#describe(name, bytes.length, descriptor === undefined ? 0 : controlHeaderBytes + 8);
    if (descriptor !== undefined) {
      this.#view.setBigUint64(layout.control, BigInt(controlHeaderBytes + 4), true);
      this.#view.setInt32(layout.control + 8, linux.SOL_SOCKET, true);
      this.#view.setInt32(layout.control + 12, linux.SCM_RIGHTS, true);
      this.#view.setInt32(layout.control + 16, descriptor, true);
    }
    const sent = sendmsg(this.#fd, this.#base + layout.message, linux.MSG_NOSIGNAL);
    return sent < 0 ? errno() : 0;
  }

  /** Whether a socket is bound to `path`; nothing is sent. */
  isThere(path: string): boolean {
    return this.#setName(path) > 0 && this.#isAnswered();
  }

  [Symbol.dispose](): void {
    this.#watch?.close();
    this.#watch = undefined;
    close(this.#fd);
    if (!this.#path.startsWith("@")) rmSync(this.#path, { force: true });
  }

  #bind(mode: number): number {
    new SystemArea().setOption(this.#fd, linux.SOL_SOCKET, linux.SO_PASSCRED, 1);
    const length = this.#setName(this.#path);
    if (length === 0) return errnoOf.EINVAL;
    const isFile = !this.#path.startsWith("@");
    const address = this.#base + layout.name;
    if (bind(this.#fd, address, length) !== 0) {
      const error = errno();
      if (error !== errnoOf.EADDRINUSE || !isFile || this.#isAnswered()) return error;
      rmSync(this.#path, { force: true });
      if (bind(this.#fd, address, length) !== 0) return errno();
    }
    return isFile && chmod(this.#path, mode) !== 0 ? errno() : 0;
  }

  /** A socket file outlives its socket: then nobody can be called there. */
  #isAnswered(): boolean {
    const probe = socket(linux.AF_UNIX, linux.SOCK_DGRAM | linux.SOCK_OURS, 0);
    const error = connect(probe, this.#base + layout.name, nameBytes) === 0 ? 0 : errno();
    close(probe);
    return error !== errnoOf.ECONNREFUSED && error !== errnoOf.ENOENT;
  }

  /** Its length; 0 where it is too long. */
  #setName(path: string): number {
    const bytes = Buffer.from(path, "utf8");
    if (bytes.length >= pathBytes) return 0;
    this.#memory.fill(0, layout.name, layout.name + nameBytes);
    this.#view.setUint16(layout.name, linux.AF_UNIX, true);
    this.#memory.set(bytes, layout.name + 2);
    if (path.startsWith("@")) this.#view.setUint8(layout.name + 2, 0);
    return nameBytes;
  }

  /** Fills struct msghdr and its vector. */
  #describe(name: number, data: number, control: number): void {
    const at = layout.message;
    this.#memory.fill(0, at, at + 56);
    if (name > 0) this.#view.setBigUint64(at, BigInt(this.#base + layout.name), true);
    this.#view.setUint32(at + 8, name, true);
    this.#view.setBigUint64(at + 16, BigInt(this.#base + layout.vector), true);
    this.#view.setBigUint64(at + 24, 1n, true);
    if (control > 0) this.#view.setBigUint64(at + 32, BigInt(this.#base + layout.control), true);
    this.#view.setBigUint64(at + 40, BigInt(control), true);
    this.#view.setBigUint64(layout.vector, BigInt(this.#base + layout.data), true);
    this.#view.setBigUint64(layout.vector + 8, BigInt(data), true);
  }

  #receive(): Datagram | undefined {
    this.#describe(0, datagramBytesMax, controlBytes);
    const length = recvmsg(this.#fd, this.#base + layout.message, linux.MSG_CMSG_CLOEXEC);
    if (length < 0) return undefined;
    const flags = this.#view.getInt32(layout.message + 48, true);
    return {
      bytes: this.#memory.slice(layout.data, layout.data + length),
      ...this.#readControl(),
      isCut: (flags & (linux.MSG_TRUNC | linux.MSG_CTRUNC)) !== 0,
    };
  }

  /** cmsg(3): each with its length, level and kind, aligned to eight bytes. */
  #readControl(): Pick<Datagram, "descriptors" | "sender"> {
    const length = Math.min(
      Number(this.#view.getBigUint64(layout.message + 40, true)),
      controlBytes,
    );
    const descriptors: number[] = [];
    let sender: Datagram["sender"];
    for (let at = 0; at + controlHeaderBytes <= length;) {
      const start = layout.control + at;
      const size = Math.min(Number(this.#view.getBigUint64(start, true)), length - at);
      if (size < controlHeaderBytes) break;
      const kind = this.#view.getInt32(start + 12, true);
      const body = start + controlHeaderBytes;
      if (kind === linux.SCM_CREDENTIALS)
        sender = {
          pid: this.#view.getInt32(body, true),
          uid: this.#view.getUint32(body + 4, true),
        };
      if (kind === linux.SCM_RIGHTS)
        for (let i = 0; i < (size - controlHeaderBytes) >> 2; i++)
          descriptors.push(this.#view.getInt32(body + i * 4, true));
      at += (size + 7) & ~7;
    }
    return { descriptors, sender };
  }
}

/** Of descriptors that nobody wants. */
export function closeDescriptors(descriptors: readonly number[]): void {
  for (const descriptor of descriptors) close(descriptor);
}
