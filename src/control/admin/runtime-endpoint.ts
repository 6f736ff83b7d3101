/**
 * `/runtime`: each key with its value in every layer; the last layer that has it wins. `/runtime_modify` changes the
 * admin's layer. The order of keys is ours: Envoy has none.
 */
import type { RuntimeSnapshot } from "../runtime/runtime-snapshot.ts";
import { type AdminEndpoint, jsonResponse, okResponse, textResponse } from "./endpoint.ts";

export function runtimeEndpoint(snapshot: () => RuntimeSnapshot): AdminEndpoint {
  return {
    path: "/runtime",
    isMutation: false,
    help: "print runtime values",
    handle() {
      const { layers, entries } = snapshot();
      const rows = [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1));
      return jsonResponse({
        layers: layers.map(({ name }) => name),
        entries: Object.fromEntries(
          rows.map(([key, { text }]) => [
            key,
            {
              final_value: text,
              layer_values: layers.map(({ values }) => values.get(key)?.text ?? ""),
            },
          ]),
        ),
      });
    },
  };
}

const usage = [
  "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN",
  "       or send the parameters as form values",
  "use an empty value to remove a previously added override",
].join("\n");

/** `modify` says what is against it. */
export function runtimeModifyEndpoint(
  modify: (changes: ReadonlyMap<string, string>) => string | undefined,
): AdminEndpoint {
  return {
    path: "/runtime_modify",
    isMutation: true,
    help:
      "Adds or modifies runtime values as passed in query parameters. To delete a previously added key, use an empty " +
      "string as the value. Note that deletion only applies to overrides added via this endpoint; values loaded from " +
      "disk can be modified via override but not deleted. E.g. ?key1=value1&key2=value2...",
    handle({ query, form }) {
      const changes = new Map(query.size > 0 || !form ? query : form);
      if (changes.size === 0) return textResponse(usage, 400);
      const error = modify(changes);
      return error === undefined ? okResponse : textResponse(error, 503);
    },
  };
}
