/** `/ready`: what a load balancer or kubelet asks. 200 while LIVE, 503 otherwise. */
import { type AdminEndpoint, textResponse } from "./endpoint.ts";

/** Envoy: `envoy.admin.v3.ServerInfo.State`. */
export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

export function readyEndpoint(state: () => ServerState): AdminEndpoint {
  return {
    path: "/ready",
    isMutation: false,
    help: "print server state, return 200 if LIVE, otherwise return 503",
    handle: () => textResponse(`${state()}\n`, state() === "LIVE" ? 200 : 503),
  };
}
