/** `GET /drains?watch`: server-sent events, each a line `data: <json>`. */
import type { IncomingMessage } from "node:http";
import type { AdminConnection } from "../admin-connection.ts";
import type { DrainsJson } from "./drain-json.ts";

/** An event longer than this is no event of ours. */
const eventCharactersMax = 16 * 1024 * 1024;

/** Ends when the proxy ends or `signal` aborts. Throws where there is no stream to be had. */
export async function* drainStream(
  admin: AdminConnection,
  signal: AbortSignal,
): AsyncGenerator<DrainsJson> {
  // Quiet is not silence: nothing is sent while nothing drains.
  const response = await admin.open("/drains?watch", { timeoutMs: 0, signal });
  if (response.statusCode !== 200 || !isEventStream(response)) {
    response.destroy();
    throw new Error(`${admin.address} tells no drains: status ${response.statusCode}`);
  }
  let rest = "";
  try {
    for await (const chunk of response.setEncoding("utf8")) {
      const events = (rest + String(chunk)).split("\n\n");
      rest = events.pop() ?? "";
      if (rest.length > eventCharactersMax) throw new Error("an event without end");
      yield* events.flatMap(readEvent);
    }
  } catch (thrown) {
    if (signal.aborted || (thrown as NodeJS.ErrnoException).code === "ECONNRESET") return;
    throw thrown;
  }
}

function readEvent(event: string): readonly DrainsJson[] {
  return event.startsWith("data: ") ? [JSON.parse(event.slice(6)) as DrainsJson] : [];
}

function isEventStream(response: IncomingMessage): boolean {
  return response.headers["content-type"] === "text/event-stream";
}
