/**
 * Which listeners may accept no more: by order of the admin for the rest of the process, or for as long as the next
 * generation of the process serves.
 */
import type { ListenerConfig } from "../../shared/config/listener-config.ts";
import type { DrainDirection } from "../../shared/drain/drain.ts";

export class AcceptStop {
  /** Sticky (Envoy: `stopListeners`). */
  #stopped: DrainDirection | undefined;
  isPaused = false;

  stop(direction: DrainDirection): void {
    if (this.#stopped !== "all") this.#stopped = direction;
  }

  covers(facts: Pick<ListenerConfig, "trafficDirection">): boolean {
    if (this.isPaused || this.#stopped === "all") return true;
    return this.#stopped === "inboundOnly" && facts.trafficDirection === "inbound";
  }
}
