/**
 * Drains as one client follows them: what is under way, and each that has ended since it began to look, once more.
 * So many clients at once, so many messages a second, and none to a client that does not read: it gets the latest
 * when it reads again, and nothing is queued for it.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DrainDesk } from "../listener/drain-desk.ts";
import type { DrainView } from "../listener/drain-view.ts";

/** Over HTTP and gRPC together. */
export const drainWatchersMax = 64;
/** Four messages a second are enough for an eye. */
export const feedIntervalMs = 250;

export interface DrainFeedSource {
  readonly desk: Pick<DrainDesk, "list" | "subscribe" | "watchers">;
  readonly clock: Clock;
}

/** The client at the other end. */
export interface DrainReader {
  /** It has not taken what it was sent. */
  readonly isSlow: boolean;
  send(drains: readonly DrainView[]): void;
}

export class DrainFeed implements Disposable {
  readonly #source: DrainFeedSource;
  readonly #reader: DrainReader;
  readonly #shown = new Set<number>();
  readonly #subscription: Disposable;
  #timer: Disposable | undefined;

  /** The first message is sent before this returns. */
  constructor(source: DrainFeedSource, reader: DrainReader) {
    this.#source = source;
    this.#reader = reader;
    this.#subscription = source.desk.subscribe(() => this.#schedule());
    this.#send();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    this.#timer ??= this.#source.clock.startTimer(feedIntervalMs, () => {
      this.#timer = undefined;
      if (this.#reader.isSlow) this.#schedule();
      else this.#send();
    });
  }

  #send(): void {
    const drains = this.#source.desk
      .list()
      .drains.filter(({ id, state }) => state === "draining" || this.#shown.has(id));
    for (const { id } of drains) this.#shown.add(id);
    this.#reader.send(drains);
    // What has ended was told once.
    for (const { id, state } of drains) if (state !== "draining") this.#shown.delete(id);
  }
}

export function hasRoom({ desk }: DrainFeedSource): boolean {
  return desk.watchers < drainWatchersMax;
}

/** In the words of both doors. */
export const noRoomText = `${drainWatchersMax} clients are watching drains already`;
