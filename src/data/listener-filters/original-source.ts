/**
 * Lets the upstream connection come from the client's address (Envoy: `original_src`): bound by IP_TRANSPARENT, with a mark by
 * which answers find the way back. A client without an IP address leaves nothing to do.
 */
import type { OriginalSourceConfig } from "../../shared/config/listener-filter-config.ts";
import type { ListenerFilterFactory } from "./listener-filter.ts";

export function createOriginalSourceFactory({ mark }: OriginalSourceConfig): ListenerFilterFactory {
  return {
    create: ({ facts }) => ({
      maxReadBytes: 0,
      onAccept() {
        const { remoteAddress } = facts;
        // Any port of it: its own may be in use here, by the connection that it came by.
        if (remoteAddress.kind === "ip")
          facts.upstreamSource = { address: { ...remoteAddress, port: 0 }, isForeign: true, mark };
        return "continue";
      },
      onData: () => "continue",
    }),
  };
}
