/**
 * The view of every drain, each drain by its number, and the failed health check. `/drain_listeners` is of
 * listeners, `/healthcheck/fail` of the whole server's health: the first leaves `/ready` alone, the second stops
 * nothing.
 */
import { type DrainDesk, remainingMax } from "../listener/drain-desk.ts";
import { drainResponse } from "./drain-response.ts";
import type { DrainFeedSource } from "./drain-feed.ts";
import { streamDrains, waitForDrains } from "./drain-watch.ts";
import {
  type AdminEndpoint,
  type AdminRequest,
  type AdminResponse,
  type AsyncEndpoint,
  jsonResponse,
  okResponse,
  textResponse,
} from "./endpoint.ts";
import { numberOf } from "./query-number.ts";

export type SetHealthCheckFailed = (failed: boolean) => void;

export function healthCheckFailEndpoint(set: SetHealthCheckFailed): AdminEndpoint {
  return {
    path: "/healthcheck/fail",
    isMutation: true,
    help: "cause the server to fail health checks",
    handle() {
      set(true);
      return okResponse;
    },
  };
}

export function healthCheckOkEndpoint(set: SetHealthCheckFailed): AdminEndpoint {
  return {
    path: "/healthcheck/ok",
    isMutation: true,
    help: "cause the server to pass health checks",
    handle() {
      set(false);
      return okResponse;
    },
  };
}

export function drainsEndpoint(source: DrainFeedSource): AdminEndpoint {
  return {
    path: "/drains",
    isMutation: false,
    help: "print every drain under way and the last hundred that ended (not in Envoy)",
    parameters: [
      {
        name: "wait",
        help: "Answer when all that are under way have ended, or after so many seconds",
      },
      { name: "watch", help: "Server-sent events, one whenever something has changed" },
    ],
    handle({ query }) {
      const wait = query.get("wait");
      if (wait !== null) return waitForDrains(source, wait);
      const isWatch = query.has("watch") || query.has("stream");
      return isWatch ? streamDrains(source) : jsonResponse(source.desk.list());
    },
  };
}

/** `/drains/ID`, and the orders below it. */
export function drainEndpoint(desk: DrainDesk): AsyncEndpoint {
  return {
    path: "/drains/",
    isMutation: false,
    help: "one drain by its id, with the connections that remain in it (not in Envoy)",
    parameters: [
      { name: "limit", help: `With the id alone: connections to list, at most ${remainingMax}` },
      { name: "ID/cancel", help: "POST: take it back; who was told already closes all the same" },
      { name: "ID/extend?time", help: "POST: move its deadline by so many seconds" },
      { name: "ID/end", help: "POST: end it now; what remains is cut" },
    ],
    async handle(request) {
      const [text = "", order, ...more] = (request.rest ?? "").split("/");
      const id = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
      if (id === undefined) return textResponse(`'${text}' is no id of a drain\n`, 400);
      if (order === undefined) return oneDrain(desk, id, request);
      if (more.length > 0 || !isOrder(order))
        return textResponse("of a drain there are cancel, extend and end\n", 404);
      if (request.method !== "POST")
        return textResponse(`Method ${request.method} not allowed, POST required.`, 405);
      return carryOut(desk, id, order, request);
    },
  };
}

type Order = "cancel" | "extend" | "end";

function isOrder(text: string): text is Order {
  return text === "cancel" || text === "extend" || text === "end";
}

async function oneDrain(
  desk: DrainDesk,
  id: number,
  { query }: AdminRequest,
): Promise<AdminResponse> {
  const limit = query.get("limit");
  return drainResponse(await desk.remaining(id, limit === null ? remainingMax : numberOf(limit)));
}

async function carryOut(
  desk: DrainDesk,
  id: number,
  order: Order,
  { query }: AdminRequest,
): Promise<AdminResponse> {
  switch (order) {
    case "cancel":
      return drainResponse(await desk.cancel(id));
    case "end":
      return drainResponse(await desk.end(id));
    case "extend": {
      const seconds = numberOf(query.get("time") ?? "");
      if (!(seconds > 0)) return textResponse("time must be a number of seconds above 0\n", 400);
      return drainResponse(await desk.extend(id, { byMs: seconds * 1_000 }));
    }
    default:
      return order satisfies never;
  }
}
