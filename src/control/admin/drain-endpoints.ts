/**
 * What drains by hand, and the view of every drain. `/drain_listeners` is of listeners, `/healthcheck/fail` of
 * the whole server's health: the first leaves `/ready` alone, the second stops nothing.
 */
import type { DrainView } from "../listener/drain-view.ts";
import { type DrainWatchSource, streamDrains, waitForDrains } from "./drain-watch.ts";
import {
  type AdminEndpoint,
  type AdminResponse,
  jsonResponse,
  okResponse,
  textResponse,
} from "./endpoint.ts";

export interface DrainRequest {
  /** Drain first, stop listening at the drain's end; otherwise stop at once. */
  readonly graceful: boolean;
  /** Never stop listening. */
  readonly skipExit: boolean;
  readonly inboundOnly: boolean;
}

/** Of one listener that goes on serving: some or all of the connections that it has now. */
export interface ConnectionDrainRequest {
  readonly listener: string;
  /** Above 0, at most 1. */
  readonly share: number;
  /** Undefined: the listener's own. */
  readonly timeMs: number | undefined;
}

export interface DrainControl {
  drainListeners(request: DrainRequest): void;
  /** The drain, begun; undefined: no listener of the name is active. */
  drainConnections(request: ConnectionDrainRequest): DrainView | undefined;
  /** Connections of listeners with DrainType default are asked to close, `/ready` says DRAINING. */
  setHealthCheckFailed(failed: boolean): void;
}

export function drainListenersEndpoint(control: DrainControl): AdminEndpoint {
  return {
    path: "/drain_listeners",
    isMutation: true,
    help: "drain listeners",
    parameters: [
      { name: "graceful", help: "Drain connections first, then stop the listeners" },
      { name: "skip_exit", help: "Drain connections, but never stop the listeners" },
      { name: "inboundonly", help: "Only listeners whose traffic_direction is INBOUND" },
      {
        name: "name",
        help: "Drain connections of this listener, which goes on serving (not in Envoy)",
      },
      {
        name: "percent",
        help: "With name: so much of the connections that it has now (not in Envoy)",
      },
      { name: "time", help: "With name: seconds that the drain may take (not in Envoy)" },
    ],
    handle({ query }) {
      if (["name", "percent", "time"].some((each) => query.has(each)))
        return drainOne(query, control);
      control.drainListeners({
        graceful: query.has("graceful"),
        skipExit: query.has("skip_exit"),
        inboundOnly: query.has("inboundonly"),
      });
      return okResponse;
    },
  };
}

/** A day: what takes longer is no drain. */
const drainSecondsMax = 86_400;

function drainOne(query: URLSearchParams, control: DrainControl): AdminResponse {
  const bad = (text: string): AdminResponse => textResponse(`${text}\n`, 400);
  const listener = query.get("name");
  if (listener === null) return bad("percent and time are of one listener: name it with name");
  const foreign = ["graceful", "skip_exit", "inboundonly"].find((each) => query.has(each));
  if (foreign !== undefined) return bad(`${foreign} is of all listeners and does not go with name`);
  const percent = numberOf(query.get("percent") ?? "100");
  if (!(percent > 0 && percent <= 100)) return bad("percent must be above 0 and at most 100");
  const time = query.get("time");
  const seconds = time === null ? undefined : numberOf(time);
  if (seconds !== undefined && !(seconds >= 0 && seconds <= drainSecondsMax))
    return bad(`time must be a number of seconds, at most ${drainSecondsMax}`);
  const timeMs = seconds === undefined ? undefined : seconds * 1000;
  const drain = control.drainConnections({ listener, share: percent / 100, timeMs });
  return drain ? jsonResponse(drain) : textResponse(`no active listener '${listener}'\n`, 404);
}

/** NaN where it is none: `Number` alone takes an empty text for 0. */
function numberOf(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

export function healthCheckFailEndpoint(control: DrainControl): AdminEndpoint {
  return {
    path: "/healthcheck/fail",
    isMutation: true,
    help: "cause the server to fail health checks",
    handle() {
      control.setHealthCheckFailed(true);
      return okResponse;
    },
  };
}

export function healthCheckOkEndpoint(control: DrainControl): AdminEndpoint {
  return {
    path: "/healthcheck/ok",
    isMutation: true,
    help: "cause the server to pass health checks",
    handle() {
      control.setHealthCheckFailed(false);
      return okResponse;
    },
  };
}

export function drainsEndpoint(source: DrainWatchSource): AdminEndpoint {
  return {
    path: "/drains",
    isMutation: false,
    help: "print every drain under way and the last hundred that ended (not in Envoy)",
    parameters: [
      {
        name: "wait",
        help: "Answer when all that are under way have ended, or after so many seconds",
      },
      { name: "stream", help: "Server-sent events, one whenever something has changed" },
    ],
    handle({ query }) {
      const wait = query.get("wait");
      if (wait !== null) return waitForDrains(source, wait);
      return query.has("stream") ? streamDrains(source) : jsonResponse(source.view());
    },
  };
}
