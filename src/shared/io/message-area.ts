/**
 * The memory of one sendmsg(2) or recvmsg(2): struct msghdr, its vector of one, the address of the other, and control
 * messages (cmsg(3): SCM_RIGHTS, SCM_CREDENTIALS). For sockets of the main thread that hand over descriptors, seldom.
 *
 * What a newcomer would get wrong: it is free again when the system call has returned, so what was read is copied out.
 */
import { assert } from "../common/assert.ts";
import { linux, mapMemory } from "./syscalls.ts";

const pathBytes = 108;
/** Of `sun_family` and `sun_path`, whatever is in it. */
export const nameBytes = 2 + pathBytes;
const controlHeaderBytes = 16;
const messageBytes = 56;
const vectorBytes = 16;

export interface AreaSizes {
  /** Most bytes of one call. */
  readonly data: number;
  /** Most descriptors that are taken with them. */
  readonly descriptors: number;
}

/** A process, and the user that it runs as. */
export interface MessageSender {
  readonly pid: number;
  readonly uid: number;
}

/** What came beside the bytes. */
export interface ControlRead {
  readonly descriptors: readonly number[];
  /** Undefined where the kernel did not say. */
  readonly sender: MessageSender | undefined;
}

/** Of a name that begins with `@`: it is of no file, and gone with its socket. */
export function isAbstract(path: string): boolean {
  return path.startsWith("@");
}

export class MessageArea {
  readonly view: DataView;
  readonly #memory: Uint8Array;
  readonly #base: number;
  readonly #dataMax: number;
  readonly #controlMax: number;
  readonly #control: number;
  readonly #name: number;
  readonly #vector: number;
  readonly #message: number;

  constructor({ data, descriptors }: AreaSizes) {
    this.#dataMax = data;
    this.#controlMax = aligned(2 * controlHeaderBytes + 12 + descriptors * 4);
    this.#control = aligned(data);
    this.#name = this.#control + this.#controlMax;
    this.#vector = aligned(this.#name + nameBytes);
    this.#message = this.#vector + vectorBytes;
    const mapping = mapMemory(this.#message + messageBytes);
    assert(mapping, "no memory for messages that carry descriptors");
    this.#memory = new Uint8Array(mapping.buffer);
    this.view = new DataView(mapping.buffer);
    this.#base = mapping.address;
  }

  /** For calls that read or write something else than a message: at the front, where data is. */
  get dataAddress(): number {
    return this.#base;
  }

  get nameAddress(): number {
    return this.#base + this.#name;
  }

  /** Where the name is in the view, for calls that want a number of four bytes. */
  get nameAt(): number {
    return this.#name;
  }

  /** False where it is too long. Of an abstract one the first byte stands for a zero (unix(7)). */
  setName(path: string): boolean {
    const bytes = Buffer.from(path, "utf8");
    if (bytes.length >= pathBytes) return false;
    this.#memory.fill(0, this.#name, this.#name + nameBytes);
    this.view.setUint16(this.#name, linux.AF_UNIX, true);
    this.#memory.set(bytes, this.#name + 2);
    if (isAbstract(path)) this.view.setUint8(this.#name + 2, 0);
    return true;
  }

  /** The address of a message to send; `isNamed`: to the name that was set. */
  outgoing(bytes: Uint8Array, descriptors: readonly number[], isNamed = false): number {
    this.#memory.set(bytes, 0);
    if (descriptors.length === 0) return this.#describe(bytes.length, 0, isNamed);
    const { view } = this;
    const at = this.#control;
    const size = controlHeaderBytes + descriptors.length * 4;
    view.setBigUint64(at, BigInt(size), true);
    view.setInt32(at + 8, linux.SOL_SOCKET, true);
    view.setInt32(at + 12, linux.SCM_RIGHTS, true);
    for (const [i, descriptor] of descriptors.entries())
      view.setInt32(at + controlHeaderBytes + i * 4, descriptor, true);
    return this.#describe(bytes.length, aligned(size), isNamed);
  }

  /** The address of a message to receive into. */
  incoming(): number {
    return this.#describe(this.#dataMax, this.#controlMax, false);
  }

  /** A copy of what was received. */
  data(length: number): Uint8Array {
    return this.#memory.slice(0, length);
  }

  /** The kernel had more than there was room for. */
  get isCut(): boolean {
    const flags = this.view.getInt32(this.#message + 48, true);
    return (flags & (linux.MSG_TRUNC | linux.MSG_CTRUNC)) !== 0;
  }

  /** Each control message with its length, level and kind, aligned to eight bytes. */
  control(): ControlRead {
    const { view } = this;
    const given = Number(view.getBigUint64(this.#message + 40, true));
    const length = Math.min(given, this.#controlMax);
    const descriptors: number[] = [];
    let sender: MessageSender | undefined;
    for (let at = 0; at + controlHeaderBytes <= length;) {
      const start = this.#control + at;
      const size = Math.min(Number(view.getBigUint64(start, true)), length - at);
      if (size < controlHeaderBytes) break;
      const kind = view.getInt32(start + 12, true);
      const body = start + controlHeaderBytes;
      if (kind === linux.SCM_CREDENTIALS)
        sender = { pid: view.getInt32(body, true), uid: view.getUint32(body + 4, true) };
      if (kind === linux.SCM_RIGHTS)
        for (let i = 0; i < (size - controlHeaderBytes) >> 2; i++)
          descriptors.push(view.getInt32(body + i * 4, true));
      at += aligned(size);
    }
    return { descriptors, sender };
  }

  #describe(data: number, control: number, isNamed: boolean): number {
    const { view } = this;
    const at = this.#message;
    this.#memory.fill(0, at, at + messageBytes);
    if (isNamed) {
      view.setBigUint64(at, BigInt(this.nameAddress), true);
      view.setUint32(at + 8, nameBytes, true);
    }
    view.setBigUint64(at + 16, BigInt(this.#base + this.#vector), true);
    view.setBigUint64(at + 24, 1n, true);
    if (control > 0) view.setBigUint64(at + 32, BigInt(this.#base + this.#control), true);
    view.setBigUint64(at + 40, BigInt(control), true);
    view.setBigUint64(this.#vector, BigInt(this.#base), true);
    view.setBigUint64(this.#vector + 8, BigInt(data), true);
    return this.#base + at;
  }
}

function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}
