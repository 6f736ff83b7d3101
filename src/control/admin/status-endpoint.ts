/** `/status`: every resource, what the control plane was told of it and what became of it (not in Envoy). */
import { type AdminEndpoint, jsonResponse, textResponse } from "./endpoint.ts";
import { compileNameFilter } from "./name-filter.ts";
import { type StatusSource, statusView } from "./status.ts";

export function statusEndpoint(source: StatusSource): AdminEndpoint {
  return {
    path: "/status",
    isMutation: false,
    help: "print what is true of every resource: requested, accepted, refused, warming, serving (not in Envoy)",
    parameters: [{ name: "name_regex", help: "Only resources whose name matches (RE2)" }],
    handle({ query }) {
      const names = compileNameFilter(query.get("name_regex"));
      if (!names.ok) return textResponse(names.error, 400);
      const { control_planes, resources } = statusView(source);
      return jsonResponse({
        control_planes,
        resources: resources.filter(({ name }) => names.matches(name)),
      });
    },
  };
}
