/**
 * `/drains?wait` and `/drains?watch`: answers that come when something has happened. Both are bounded: so many
 * watchers at once, so long a wait, so many messages a second, and none to a client that does not read.
 */
import type { Clock } from "../../shared/common/clock.ts";
import type { DrainDesk } from "../listener/drain-desk.ts";
import type { DrainView } from "../listener/drain-view.ts";
import { type AdminBody, type AdminResponse, jsonResponse, textResponse } from "./endpoint.ts";

export const drainWatchersMax = 64;
const waitSecondsDefault = 60;
export const waitSecondsMax = 3_600;
/** Four messages a second are enough for an eye. */
export const streamIntervalMs = 250;

export interface DrainWatchSource {
  readonly desk: Pick<DrainDesk, "list" | "subscribe" | "watchers">;
  readonly clock: Clock;
}

/** Answers when every drain that is under way now has ended, or after `text` seconds; empty: a minute. */
export function waitForDrains(source: DrainWatchSource, text: string): AdminResponse {
  const seconds = text === "" ? waitSecondsDefault : Number(text);
  if (!(seconds >= 0 && seconds <= waitSecondsMax))
    return textResponse(`wait must be a number of seconds, at most ${waitSecondsMax}\n`, 400);
  const awaited = new Set(underWay(source).map(({ id }) => id));
  const isDone = (): boolean => !underWay(source).some(({ id }) => awaited.has(id));
  if (isDone() || seconds === 0) return jsonResponse(source.desk.list());
  return (
    tooMany(source) ?? {
      ...jsonResponse({}),
      body: "",
      continues(body) {
        const held = new DisposableStack();
        const answer = (): void => {
          held.dispose();
          body.end(jsonResponse(source.desk.list()).body);
        };
        held.use(source.desk.subscribe(() => isDone() && answer()));
        held.use(source.clock.startTimer(seconds * 1000, answer));
        return held;
      },
    }
  );
}

/** Server-sent events, each one a view: what is under way, and what has ended since the stream began. */
export function streamDrains(source: DrainWatchSource): AdminResponse {
  const stream: AdminResponse = {
    status: 200,
    contentType: "text/event-stream",
    body: "",
    continues: (body) => new DrainStream(source, body),
  };
  return tooMany(source) ?? stream;
}

class DrainStream implements Disposable {
  readonly #source: DrainWatchSource;
  readonly #body: AdminBody;
  readonly #shown = new Set<number>();
  readonly #subscription: Disposable;
  #timer: Disposable | undefined;

  constructor(source: DrainWatchSource, body: AdminBody) {
    this.#source = source;
    this.#body = body;
    this.#subscription = source.desk.subscribe(() => this.#schedule());
    this.#send();
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }

  #schedule(): void {
    this.#timer ??= this.#source.clock.startTimer(streamIntervalMs, () => {
      this.#timer = undefined;
      // Who reads slowly gets the latest when it reads again, and nothing is queued for it.
      if (this.#body.isSlow) this.#schedule();
      else this.#send();
    });
  }

  #send(): void {
    const drains = this.#source.desk
      .list()
      .drains.filter(({ id, state }) => state === "draining" || this.#shown.has(id));
    for (const { id } of drains) this.#shown.add(id);
    this.#body.write(`data: ${JSON.stringify({ drains })}\n\n`);
    // What has ended was told once.
    for (const { id, state } of drains) if (state !== "draining") this.#shown.delete(id);
  }
}

function underWay(source: DrainWatchSource): readonly DrainView[] {
  return source.desk.list().drains.filter(({ state }) => state === "draining");
}

function tooMany(source: DrainWatchSource): AdminResponse | undefined {
  if (source.desk.watchers < drainWatchersMax) return undefined;
  return textResponse(`${drainWatchersMax} clients are watching drains already\n`, 503);
}
