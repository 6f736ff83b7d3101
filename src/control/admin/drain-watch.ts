/** `/drains?wait` and `/drains?watch`: answers that come when something has happened, bounded as `DrainFeed` is. */
import type { DrainView } from "../listener/drain-view.ts";
import { DrainFeed, type DrainFeedSource, hasRoom, noRoomText } from "./drain-feed.ts";
import { type AdminResponse, jsonResponse, textResponse } from "./endpoint.ts";

const waitSecondsDefault = 60;
export const waitSecondsMax = 3_600;

/** Answers when every drain that is under way now has ended, or after `text` seconds; empty: a minute. */
export function waitForDrains(source: DrainFeedSource, text: string): AdminResponse {
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
export function streamDrains(source: DrainFeedSource): AdminResponse {
  const stream: AdminResponse = {
    status: 200,
    contentType: "text/event-stream",
    body: "",
    continues: (body) =>
      new DrainFeed(source, {
        get isSlow() {
          return body.isSlow;
        },
        send: (drains) => body.write(`data: ${JSON.stringify({ drains })}\n\n`),
      }),
  };
  return tooMany(source) ?? stream;
}

function underWay(source: DrainFeedSource): readonly DrainView[] {
  return source.desk.list().drains.filter(({ state }) => state === "draining");
}

function tooMany(source: DrainFeedSource): AdminResponse | undefined {
  return hasRoom(source) ? undefined : textResponse(`${noRoomText}\n`, 503);
}
