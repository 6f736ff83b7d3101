/** `/listeners`: the active ones with their bound addresses (Envoy leaves warming and draining out, too). */
import { formatAddress } from "../../shared/common/address.ts";
import type { ListenersView } from "../listener/listener-view.ts";
import { addressJson } from "./address-json.ts";
import { type AdminEndpoint, jsonResponse, textResponse } from "./endpoint.ts";

export function listenersEndpoint(view: () => ListenersView): AdminEndpoint {
  return {
    path: "/listeners",
    isMutation: false,
    help: "print listener info",
    parameters: [{ name: "format", help: "File format to use", oneOf: ["text", "json"] }],
    handle({ query }) {
      const active = view().listeners.filter((listener) => listener.state === "active");
      if (query.get("format") !== "json") {
        const lines = active.flatMap(({ name, localAddresses }) =>
          localAddresses.map((address) => `${name}::${formatAddress(address)}\n`),
        );
        return textResponse(lines.join(""));
      }
      const statuses = active.map(({ name, localAddresses: [main, ...others] }) => ({
        name,
        ...(main ? { local_address: addressJson(main) } : {}),
        ...(others.length > 0 ? { additional_local_addresses: others.map(addressJson) } : {}),
      }));
      return jsonResponse(statuses.length > 0 ? { listener_statuses: statuses } : {});
    },
  };
}
