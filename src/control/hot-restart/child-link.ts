/**
 * The next generation, as its parent sees it: answers in the order of the questions, at the one name that the next epoch
 * has. A child that dies leaves no trace: what it was given is taken back.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { Clock } from "../../shared/common/clock.ts";
import type { SocketHolder } from "../../shared/io/listen-sockets.ts";
import { closeDescriptors } from "../../shared/io/descriptor-socket.ts";
import { ChildProcess } from "./child-process.ts";
import { ChildWatch } from "./child-watch.ts";
import type { HotRestartMessage, MessageCodec } from "./message-codec.ts";
import type { MessageSocket } from "./message-socket.ts";
import { readAddress } from "./socket-names.ts";

export interface CarriedStats {
  readonly memoryAllocated: bigint;
  readonly numConnections: bigint;
  readonly counterDeltas: Record<string, bigint>;
  readonly gauges: Record<string, bigint>;
}

/** What a parent does for its child. */
export interface ParentDuties {
  /** A descriptor that stays ours; undefined where there is none. */
  share(address: SocketAddress, worker: number, child: SocketHolder): number | undefined;
  /** When the first generation started, in seconds since 1970, once the admin is closed. */
  shutdownAdmin(): Promise<number>;
  stats(): CarriedStats;
  /** Connections drain and accepting ends, but so that it can begin again. */
  drainListeners(child: SocketHolder): void;
  /** It accepts for good no more. */
  letGo(): void;
  /** The child is gone before its time: admin and accepting are as they were before it came. */
  takeBack(): void;
  terminate(): void;
}

export interface ChildLinkParts {
  readonly socket: MessageSocket;
  readonly codec: MessageCodec;
  readonly clock: Clock;
  /** Where the next epoch listens. */
  readonly name: string;
  readonly duties: ParentDuties;
}

export class ChildLink implements Disposable {
  readonly #parts: ChildLinkParts;
  readonly #watch: ChildWatch;
  #child: ChildProcess | undefined;

  constructor(parts: ChildLinkParts) {
    this.#parts = parts;
    const { clock, duties } = parts;
    this.#watch = new ChildWatch({
      clock,
      onGone: () => duties.takeBack(),
      onSettled: () => duties.letGo(),
    });
  }

  start(): void {
    this.#parts.socket.onMessage((message, descriptors, pid) => {
      closeDescriptors(descriptors);
      this.#watch.heard();
      void this.#answer(message, this.#childOf(pid));
    });
  }

  [Symbol.dispose](): void {
    this.#watch[Symbol.dispose]();
  }

  /** Who holds what the process `pid` is given. */
  holderOf(pid: number): SocketHolder {
    return this.#childOf(pid);
  }

  #childOf(pid: number): ChildProcess {
    const { socket, name } = this.#parts;
    if (this.#child?.pid !== pid) this.#child = new ChildProcess(pid, () => socket.isThere(name));
    return this.#child;
  }

  async #answer({ requestreply }: HotRestartMessage, child: ChildProcess): Promise<void> {
    const { codec, duties } = this.#parts;
    const request = requestreply.case === "request" ? requestreply.value.request : undefined;
    switch (request?.case) {
      case "passListenSocket":
        return this.#pass(request.value, child);
      case "shutdownAdmin":
        this.#watch.hold(child, false);
        return this.#reply(codec.shutdownAdminReply(await duties.shutdownAdmin()));
      case "stats":
        return this.#reply(codec.statsReply(duties.stats()));
      case "drainListeners":
        this.#watch.hold(child, true);
        return duties.drainListeners(child);
      case "terminate":
        this.#watch[Symbol.dispose]();
        return duties.terminate();
      case "testConnection":
        return undefined;
      case undefined:
        return this.#reply(codec.notRecognized());
      default:
        return request satisfies never;
    }
  }

  #pass(
    wanted: { readonly address: string; readonly workerIndex: number },
    child: ChildProcess,
  ): Promise<void> {
    const { codec, duties } = this.#parts;
    const address = readAddress(wanted.address);
    const fd = address && duties.share(address, wanted.workerIndex, child);
    return fd === undefined
      ? this.#reply(codec.listenSocketReply(-1))
      : this.#reply(codec.listenSocketReply(fd), fd);
  }

  async #reply(message: Uint8Array, descriptor?: number): Promise<void> {
    const { socket, name } = this.#parts;
    await socket.send(name, message, descriptor);
  }
}
