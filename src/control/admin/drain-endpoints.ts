/**
 * What drains by hand, and the view of every drain. `/drain_listeners` is of listeners, `/healthcheck/fail` of
 * the whole server's health: the first leaves `/ready` alone, the second stops nothing.
 */
import type { DrainsView } from "../listener/drain-view.ts";
import { type AdminEndpoint, jsonResponse, okResponse } from "./endpoint.ts";

export interface DrainRequest {
  /** Drain first, stop listening at the drain's end; otherwise stop at once. */
  readonly graceful: boolean;
  /** Never stop listening. */
  readonly skipExit: boolean;
  readonly inboundOnly: boolean;
}

export interface DrainControl {
  drainListeners(request: DrainRequest): void;
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
    ],
    handle({ query }) {
      control.drainListeners({
        graceful: query.has("graceful"),
        skipExit: query.has("skip_exit"),
        inboundOnly: query.has("inboundonly"),
      });
      return okResponse;
    },
  };
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

export function drainsEndpoint(view: () => DrainsView): AdminEndpoint {
  return {
    path: "/drains",
    isMutation: false,
    help: "print every drain under way and the last hundred that ended (not in Envoy)",
    handle: () => jsonResponse(view()),
  };
}
