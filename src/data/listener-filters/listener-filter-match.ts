/** Whether a listener filter is left out for a connection (Envoy: `ListenerFilterMatcherBuilder`). */
import type { SocketAddress } from "../../shared/common/address.ts";
import type { ListenerFilterMatch } from "../../shared/config/listener-filter-config.ts";

/** The local address is the one that is known now: a filter before may have restored it. */
export function matchesListenerFilter(
  match: ListenerFilterMatch,
  localAddress: SocketAddress,
): boolean {
  switch (match.kind) {
    case "any":
      return true;
    case "destinationPort":
      return (
        localAddress.kind === "ip" &&
        localAddress.port >= match.start &&
        localAddress.port < match.end
      );
    case "not":
      return !matchesListenerFilter(match.rule, localAddress);
    case "and":
      return match.rules.every((rule) => matchesListenerFilter(rule, localAddress));
    case "or":
      return match.rules.some((rule) => matchesListenerFilter(rule, localAddress));
    default:
      return match satisfies never;
  }
}
