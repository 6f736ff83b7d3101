/**
 * An accepted descriptor that is looked at with MSG_PEEK. All bytes stay in the kernel, so whoever adopts the descriptor
 * (or gives it to OpenSSL) reads them as if nobody had looked. What a newcomer would get wrong: bytes that stay there make
 * no further edge, so the handler hears of new ones only and has to look at all of them again.
 */
import type { SocketAddress } from "../common/address.ts";
import type { Descriptor, HeldSocket, HeldSocketHandler, PeekResult } from "./reactor.ts";
import { localAddressOf, originalDestinationOf, remoteAddressOf } from "./socket-address.ts";
import { close, errno, errnoName, errnoOf, linux, recv } from "./syscalls.ts";
import type { SystemArea } from "./system-area.ts";
import { assertInWindows } from "./windows.ts";

export interface HoldLoop {
  /** Address of offset 0 of the windows. */
  readonly windowsAddress: number;
  readonly readStart: number;
  readonly area: SystemArea;
  /** Calls `onEvents` from now on; -1 with errno where that fails. */
  watchHeld(socket: EpollHeldSocket): number;
  /** Forgets the descriptor, which stays open. */
  unhold(socket: EpollHeldSocket): void;
}

const eventsOfEnd = linux.EPOLLRDHUP | linux.EPOLLHUP | linux.EPOLLERR;
const flagsOfPeek = linux.MSG_PEEK | linux.MSG_DONTWAIT;

export class EpollHeldSocket implements HeldSocket {
  readonly #loop: HoldLoop;
  readonly fd: number;
  readonly #handler: HeldSocketHandler;
  isWatched = false;
  #isHeld = true;
  #localAddress: SocketAddress | undefined;
  #remoteAddress: SocketAddress | undefined;

  constructor(loop: HoldLoop, fd: number, handler: HeldSocketHandler) {
    this.#loop = loop;
    this.fd = fd;
    this.#handler = handler;
  }

  get localAddress(): SocketAddress {
    return (this.#localAddress ??= localAddressOf(this.#loop.area, this.fd));
  }

  get remoteAddress(): SocketAddress {
    return (this.#remoteAddress ??= remoteAddressOf(this.#loop.area, this.fd));
  }

  get originalDestination(): SocketAddress | undefined {
    const { localAddress } = this;
    if (localAddress.kind !== "ip") return undefined;
    const isIpv6 = localAddress.ip.includes(":") && !localAddress.ip.startsWith("::ffff:");
    return originalDestinationOf(this.#loop.area, this.fd, isIpv6);
  }

  peek(limit: number): PeekResult {
    const { readStart, windowsAddress } = this.#loop;
    assertInWindows(readStart, readStart + limit);
    const count = recv(this.fd, windowsAddress + readStart, limit, flagsOfPeek);
    if (count > 0) return { kind: "bytes", count };
    if (count === 0) return { kind: "ended" };
    const code = errno();
    if (code === errnoOf.EAGAIN) return { kind: "bytes", count: 0 };
    if (code === errnoOf.ECONNRESET) return { kind: "ended" };
    return { kind: "failed", error: errnoName(code) };
  }

  watch(): void {
    this.isWatched = true;
    this.#loop.watchHeld(this);
  }

  take(count: number): void {
    const { readStart, windowsAddress } = this.#loop;
    assertInWindows(readStart, readStart + count);
    // They were looked at, so they are there, and one call gives them all.
    recv(this.fd, windowsAddress + readStart, count, linux.MSG_DONTWAIT);
  }

  release(): Descriptor {
    this.#leave();
    return this.fd;
  }

  close(): void {
    if (!this.#isHeld) return;
    this.#leave();
    close(this.fd);
  }

  onEvents(events: number): void {
    this.#handler.onArrival((events & eventsOfEnd) !== 0);
  }

  #leave(): void {
    this.#isHeld = false;
    this.#loop.unhold(this);
  }
}
