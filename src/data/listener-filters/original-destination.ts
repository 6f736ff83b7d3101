/**
 * Restores the address that the peer dialled before the packet filter redirected it here (Envoy: `original_dst`; ip-tables
 * REDIRECT). A connection that nobody redirected keeps its address, and is not restored.
 */
import { isDeepStrictEqual } from "node:util";
import { plainAddress } from "../network/plain-address.ts";
import type { ListenerFilterFactory } from "./listener-filter.ts";

export const originalDestinationFactory: ListenerFilterFactory = {
  create: ({ socket, facts }) => ({
    maxReadBytes: 0,
    onAccept() {
      const dialled = socket.originalDestination;
      if (dialled && !isDeepStrictEqual(plainAddress(dialled), plainAddress(facts.localAddress)))
        facts.restoreLocalAddress(plainAddress(dialled));
      return "continue";
    },
    onData: () => "continue",
  }),
};
