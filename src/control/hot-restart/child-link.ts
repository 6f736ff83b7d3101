/**
 * The next generation, as its parent sees it: answers in the order of the questions, at the one name that the next epoch
 * has. Until it says DrainListeners nothing here changes who is served: a child that dies before leaves no trace.
 */
import type { SocketAddress } from "../../shared/common/address.ts";
import { closeDescriptors } from "../../shared/io/descriptor-socket.ts";
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
  share(address: SocketAddress, worker: number): number | undefined;
  /** When the first generation started, in seconds since 1970, once the admin is closed. */
  shutdownAdmin(): Promise<number>;
  stats(): CarriedStats;
  drainListeners(): void;
  terminate(): void;
}

export interface ChildLinkParts {
  readonly socket: MessageSocket;
  readonly codec: MessageCodec;
  /** Where the next epoch listens. */
  readonly name: string;
  readonly duties: ParentDuties;
}

export class ChildLink {
  readonly #parts: ChildLinkParts;

  constructor(parts: ChildLinkParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#parts.socket.onMessage((message, descriptors) => {
      closeDescriptors(descriptors);
      void this.#answer(message);
    });
  }

  async #answer({ requestreply }: HotRestartMessage): Promise<void> {
    const { codec, duties } = this.#parts;
    const request = requestreply.case === "request" ? requestreply.value.request : undefined;
    switch (request?.case) {
      case "passListenSocket":
        return this.#pass(request.value);
      case "shutdownAdmin":
        return this.#reply(codec.shutdownAdminReply(await duties.shutdownAdmin()));
      case "stats":
        return this.#reply(codec.statsReply(duties.stats()));
      case "drainListeners":
        return duties.drainListeners();
      case "terminate":
        return duties.terminate();
      case "testConnection":
        return undefined;
      case undefined:
        return this.#reply(codec.notRecognized());
      default:
        return request satisfies never;
    }
  }

  #pass(wanted: { readonly address: string; readonly workerIndex: number }): Promise<void> {
    const { codec, duties } = this.#parts;
    const address = readAddress(wanted.address);
    const fd = address && duties.share(address, wanted.workerIndex);
    return fd === undefined
      ? this.#reply(codec.listenSocketReply(-1))
      : this.#reply(codec.listenSocketReply(fd), fd);
  }

  async #reply(message: Uint8Array, descriptor?: number): Promise<void> {
    const { socket, name } = this.#parts;
    await socket.send(name, message, descriptor);
  }
}
