/**
 * One socket's queued output: a chain of blocks, filled at the tail, sent from the head by one
 * `sendmsg` over many blocks. Made at the first byte that must wait, so that an idle socket has none.
 */
import { blockBytes, type BlockPool } from "./block-pool.ts";
import { linux, memcpy, sendmsg } from "./syscalls.ts";
import { vectorsMax, type SystemArea } from "./system-area.ts";

const none = -1;

export class BlockQueue {
  readonly #pool: BlockPool;
  #head = none;
  #tail = none;
  /** Of the head block: sent already. */
  #headStart = 0;
  /** Of the tail block: filled. */
  #tailEnd = 0;
  #bytes = 0;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies `count` bytes from `address`. False when blocks ran out: the queue is then of no use any more. */
  append(address: number, count: number): boolean {
    let done = 0;
    while (done < count) {
      if ((this.#tail === none || this.#tailEnd === blockBytes) && !this.#grow()) return false;
      const part = Math.min(count - done, blockBytes - this.#tailEnd);
      memcpy(this.#pool.addressOf(this.#tail) + this.#tailEnd, address + done, part);
      this.#tailEnd += part;
      this.#bytes += part;
      done += part;
    }
    return true;
  }

  /** One sendmsg from the head on. What it returns: bytes taken, or -1 with errno set. */
  sendTo(fd: number, area: SystemArea): number {
    let count = 0;
    let block = this.#head;
    while (block !== none && count < vectorsMax) {
      const start = block === this.#head ? this.#headStart : 0;
      const end = block === this.#tail ? this.#tailEnd : blockBytes;
      area.setVector(count, this.#pool.addressOf(block) + start, end - start);
      count += 1;
      block = this.#pool.next(block);
    }
    area.setVectorCount(count);
    const sent = sendmsg(fd, area.messageAddress, linux.MSG_NOSIGNAL);
    if (sent > 0) this.consume(sent);
    return sent;
  }

  /** The bytes at the head that lie in one piece, for whoever sends them otherwise. */
  get headAddress(): number {
    return this.#pool.addressOf(this.#head) + this.#headStart;
  }

  get headBytes(): number {
    return (this.#head === this.#tail ? this.#tailEnd : blockBytes) - this.#headStart;
  }

  /** They were sent. */
  consume(count: number): void {
    this.#bytes -= count;
    let left = count;
    while (left > 0) {
      const end = this.#head === this.#tail ? this.#tailEnd : blockBytes;
      const inHead = end - this.#headStart;
      if (left < inHead) {
        this.#headStart += left;
        return;
      }
      left -= inHead;
      this.#releaseHead();
    }
  }

  clear(): void {
    while (this.#head !== none) this.#releaseHead();
    this.#bytes = 0;
  }

  #grow(): boolean {
    const block = this.#pool.acquire();
    if (block === none) return false;
    if (this.#tail === none) this.#head = block;
    else this.#pool.link(this.#tail, block);
    this.#tail = block;
    this.#tailEnd = 0;
    return true;
  }

  #releaseHead(): void {
    const block = this.#head;
    this.#head = this.#pool.next(block);
    this.#headStart = 0;
    if (this.#head === none) this.#tail = none;
    this.#pool.release(block);
  }
}
