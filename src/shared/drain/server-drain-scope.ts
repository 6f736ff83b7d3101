/** Which listeners a drain of the server is of. Asked again for each connection that is accepted while it lasts. */

/** `inbound`: by traffic direction. `traffic`: not those that serve the operator alone, such as probes and scrapes. */
export type ServerDrainScope = "all" | "inbound" | "traffic";

interface ScopedListener {
  readonly trafficDirection: "unspecified" | "inbound" | "outbound";
  readonly carriesTraffic: boolean;
}

export function isInScope(listener: ScopedListener, scope: ServerDrainScope): boolean {
  switch (scope) {
    case "all":
      return true;
    case "inbound":
      return listener.trafficDirection === "inbound";
    case "traffic":
      return listener.carriesTraffic;
    default:
      return scope satisfies never;
  }
}
