/**
 * `POST /drain_listeners`: of all listeners as in Envoy, or, with `name`, of connections of one that goes on
 * serving. Envoy answers OK and says no more; an order that is not Envoy's is answered by its drain.
 */
import { type DrainStrategy, drainMsMax } from "../../shared/drain/drain.ts";
import { type DrainDesk, type DrainRequest, type DrainScope } from "../listener/drain-desk.ts";
import { type AsyncEndpoint, type AdminResponse, okResponse, textResponse } from "./endpoint.ts";
import { drainResponse } from "./drain-response.ts";
import { numberOf } from "./query-number.ts";

const ofServer = ["graceful", "skip_exit", "inboundonly"] as const;
const ofListener = ["name", "filter_chain", "percent"] as const;
const ofDrain = ["time", "strategy"] as const;

export function drainListenersEndpoint(desk: Pick<DrainDesk, "start">): AsyncEndpoint {
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
      { name: "filter_chain", help: "With name: only those of this filter chain (not in Envoy)" },
      {
        name: "percent",
        help: "With name: so much of the connections that it has now (not in Envoy)",
      },
      { name: "time", help: "Seconds that the drain may take (not in Envoy)" },
      {
        name: "strategy",
        help: "In place of the configured one (not in Envoy)",
        oneOf: ["gradual", "immediate"],
      },
    ],
    async handle({ query }) {
      const request = requestOf(query);
      if (typeof request === "string") return textResponse(`${request}\n`, 400);
      return answerTo(desk, request, !isEnvoys(query));
    },
  };
}

async function answerTo(
  desk: Pick<DrainDesk, "start">,
  request: DrainRequest,
  showsDrain: boolean,
): Promise<AdminResponse> {
  const result = await desk.start(request);
  if (showsDrain) return drainResponse(result);
  // A second graceful drain changes nothing and is no error, as in Envoy.
  return result.ok || result.error.kind === "underWay" ? okResponse : drainResponse(result);
}

function isEnvoys(query: URLSearchParams): boolean {
  return ![...ofListener, ...ofDrain].some((each) => query.has(each));
}

/** The order, or what is wrong with it. */
function requestOf(query: URLSearchParams): DrainRequest | string {
  const scope = scopeOf(query);
  if (typeof scope === "string") return scope;
  const time = query.get("time");
  const seconds = time === null ? undefined : numberOf(time);
  if (seconds !== undefined && !(seconds >= 0 && seconds * 1_000 <= drainMsMax))
    return `time must be a number of seconds, at most ${drainMsMax / 1_000}`;
  const strategy = query.get("strategy");
  if (strategy !== null && !isStrategy(strategy)) return "strategy must be gradual or immediate";
  return {
    scope,
    timeMs: seconds === undefined ? undefined : seconds * 1_000,
    strategy: strategy ?? undefined,
  };
}

function scopeOf(query: URLSearchParams): DrainScope | string {
  const listener = query.get("name");
  if (listener === null) {
    const stray = ofListener.find((each) => query.has(each));
    return stray === undefined
      ? serverScope(query)
      : `${stray} is of one listener: name it with name`;
  }
  const foreign = ofServer.find((each) => query.has(each));
  if (foreign !== undefined) return `${foreign} is of all listeners and does not go with name`;
  const percent = query.get("percent");
  const share = percent === null ? undefined : numberOf(percent);
  if (share !== undefined && !(share > 0 && share <= 100))
    return "percent must be above 0 and at most 100";
  const filterChain = query.get("filter_chain") ?? undefined;
  return { kind: "listener", listener, filterChain, percent: share };
}

function serverScope(query: URLSearchParams): DrainScope {
  const keeps = query.has("skip_exit");
  const mode = keeps ? "keepAccepting" : query.has("graceful") ? "graceful" : "stop";
  return { kind: "server", mode, inboundOnly: query.has("inboundonly") };
}

function isStrategy(text: string): text is DrainStrategy {
  return text === "gradual" || text === "immediate";
}
