/** `/reset_counters`: readers see zero from now on. */
import { type AdminEndpoint, okResponse } from "./endpoint.ts";

export interface CounterControl {
  resetCounters(): void;
}

export function resetCountersEndpoint(control: CounterControl): AdminEndpoint {
  return {
    path: "/reset_counters",
    isMutation: true,
    help: "reset all counters to zero",
    handle() {
      control.resetCounters();
      return okResponse;
    },
  };
}
