/**
 * Memory for the structures that system calls read and write: epoll events, socket addresses, option
 * values, an I/O vector. One a thread, mapped once, so that no call allocates and no address of a
 * collectable Buffer is ever handed to the kernel. Each call's slot is free again when the call returns.
 */
import { assert } from "../common/assert.ts";
import {
  close,
  errno,
  getsockopt,
  linux,
  mapMemory,
  pipe2,
  setsockopt,
  type Mapping,
} from "./syscalls.ts";

export const eventsMax = 256;
export const vectorsMax = 64;
/** struct epoll_event is packed on x64 alone (uapi/linux/eventpoll.h). */
const eventWords = process.arch === "x64" ? 3 : 4;
const eventDataWord = process.arch === "x64" ? 1 : 2;

/**
 * Drops SYNs and nothing else, so that handshakes under way still end (classic BPF over the TCP header,
 * linux/filter.h: load the flags byte, keep SYN and ACK, drop where SYN stands alone).
 */
const synFilter = [
  { code: 0x30, jumpTrue: 0, jumpFalse: 0, operand: 13 },
  { code: 0x54, jumpTrue: 0, jumpFalse: 0, operand: 0x12 },
  { code: 0x15, jumpTrue: 0, jumpFalse: 1, operand: 0x02 },
  { code: 0x06, jumpTrue: 0, jumpFalse: 0, operand: 0 },
  { code: 0x06, jumpTrue: 0, jumpFalse: 0, operand: 0xffff_ffff },
] as const;
/** Of struct sock_fprog and struct sock_filter. */
const filterProgramBytes = 16;
const filterInstructionBytes = 8;

const layout = {
  events: 0,
  oneEvent: 4096,
  message: 4224,
  vectors: 4352,
  address: 5632,
  addressLength: 5888,
  option: 5952,
  pair: 6016,
  peek: 6080,
  bytes: 8192,
} as const;
/** Bytes of the socket address slot: struct sockaddr_un is the longest, 110. */
const addressBytes = 128;
const optionBytesMax = 64;
/** Bytes of struct linger. */
const lingerBytes = 8;

export class SystemArea {
  readonly #words: Int32Array;
  readonly #base: number;
  /** The socket address slot, for `socket-address.ts`. */
  readonly addressBytes: Uint8Array;
  readonly addressAddress: number;
  readonly addressLengthAddress: number;
  readonly eventsAddress: number;
  readonly oneEventAddress: number;
  readonly messageAddress: number;
  readonly peekAddress: number;

  constructor() {
    const mapping: Mapping | undefined = mapMemory(layout.bytes);
    assert(mapping, "no memory for the system area");
    this.#base = mapping.address;
    this.#words = new Int32Array(mapping.buffer);
    this.addressBytes = new Uint8Array(mapping.buffer, layout.address, addressBytes);
    this.addressAddress = this.#base + layout.address;
    this.addressLengthAddress = this.#base + layout.addressLength;
    this.eventsAddress = this.#base + layout.events;
    this.oneEventAddress = this.#base + layout.oneEvent;
    this.messageAddress = this.#base + layout.message;
    this.peekAddress = this.#base + layout.peek;
    // struct msghdr: no name, the vectors, no control data.
    this.#setPointer(layout.message + 16, this.#base + layout.vectors);
  }

  eventFlags(index: number): number {
    return this.#words[index * eventWords] ?? 0;
  }

  eventDescriptor(index: number): number {
    return this.#words[index * eventWords + eventDataWord] ?? -1;
  }

  /** The second word of the event's data: what kind of descriptor it is. */
  eventKind(index: number): number {
    return this.#words[index * eventWords + eventDataWord + 1] ?? 0;
  }

  /** Fills the event that `epoll_ctl` reads at `oneEventAddress`. */
  setEvent(flags: number, descriptor: number, kind: number): void {
    const word = layout.oneEvent >> 2;
    this.#words[word] = flags;
    this.#words[word + eventDataWord] = descriptor;
    this.#words[word + eventDataWord + 1] = kind;
  }

  setVector(index: number, address: number, length: number): void {
    this.#setPointer(layout.vectors + index * 16, address);
    this.#setPointer(layout.vectors + index * 16 + 8, length);
  }

  setVectorCount(count: number): void {
    this.#words[(layout.message + 24) >> 2] = count;
  }

  get addressLength(): number {
    return this.#words[layout.addressLength >> 2] ?? 0;
  }

  /** Says how long the address slot is, before getsockname and its like. */
  resetAddressLength(): void {
    this.#words[layout.addressLength >> 2] = addressBytes;
  }

  /** Sets an int option; 0, or -1 with errno. */
  setOption(fd: number, level: number, name: number, value: number): number {
    this.#words[layout.option >> 2] = value;
    return setsockopt(fd, level, name, this.#base + layout.option, 4);
  }

  /** Of four bytes; undefined where it cannot be had. */
  getOption(fd: number, level: number, name: number): number | undefined {
    this.#words[layout.option >> 2] = 0;
    this.#words[layout.addressLength >> 2] = 4;
    const address = this.#base + layout.option;
    const failed = getsockopt(fd, level, name, address, this.addressLengthAddress);
    return failed === 0 ? this.#words[layout.option >> 2] : undefined;
  }

  /** Sets an option of up to 64 bytes; 0, or -1. */
  setOptionBytes(fd: number, level: number, name: number, value: Uint8Array): number {
    if (value.length > optionBytesMax) return -1;
    new Uint8Array(this.#words.buffer, layout.option, optionBytesMax).set(value);
    return setsockopt(fd, level, name, this.#base + layout.option, value.length);
  }

  /** From now on nobody new gets as far as this listening socket's queue. -1 where the kernel cannot. */
  refuseHandshakes(fd: number): number {
    const view = new DataView(this.#words.buffer, layout.option, optionBytesMax);
    view.setUint16(0, synFilter.length, true);
    view.setBigUint64(8, BigInt(this.#base + layout.option + filterProgramBytes), true);
    for (const [index, { code, jumpTrue, jumpFalse, operand }] of synFilter.entries()) {
      const at = filterProgramBytes + index * filterInstructionBytes;
      view.setUint16(at, code, true);
      view.setUint8(at + 2, jumpTrue);
      view.setUint8(at + 3, jumpFalse);
      view.setUint32(at + 4, operand, true);
    }
    const address = this.#base + layout.option;
    return setsockopt(fd, linux.SOL_SOCKET, linux.SO_ATTACH_FILTER, address, filterProgramBytes);
  }

  /** Takes the filter of `refuseHandshakes` away, if there is one. */
  acceptHandshakes(fd: number): void {
    this.setOption(fd, linux.SOL_SOCKET, linux.SO_DETACH_FILTER, 0);
  }

  /** The socket's pending error as an errno number, 0 for none; reading clears it. */
  takeError(fd: number): number {
    return this.getOption(fd, linux.SOL_SOCKET, linux.SO_ERROR) ?? errno();
  }

  /** Closes with RST: close(2) with a linger time of zero throws the queues away. */
  resetOnClose(fd: number): void {
    this.#words[layout.option >> 2] = 1;
    this.#words[(layout.option >> 2) + 1] = 0;
    setsockopt(fd, linux.SOL_SOCKET, linux.SO_LINGER, this.#base + layout.option, lingerBytes);
  }

  /** Both ends of a new pipe, or undefined with errno. */
  openPipe(): { readonly readEnd: number; readonly writeEnd: number } | undefined {
    if (pipe2(this.#base + layout.pair, linux.O_NONBLOCK_CLOEXEC) !== 0) return undefined;
    const readEnd = this.#words[layout.pair >> 2] ?? -1;
    const writeEnd = this.#words[(layout.pair >> 2) + 1] ?? -1;
    return { readEnd, writeEnd };
  }

  #setPointer(offset: number, value: number): void {
    this.#words[offset >> 2] = (value % 2 ** 32) | 0;
    this.#words[(offset >> 2) + 1] = Math.floor(value / 2 ** 32);
  }
}

/** Closes a descriptor with RST if it is a connected socket. */
export function closeWithReset(area: SystemArea, fd: number): void {
  area.resetOnClose(fd);
  close(fd);
}
