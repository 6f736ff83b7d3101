/** `/runtime`: each key with its value in every layer; the last layer that has it wins. */
import type { RuntimeLayer, RuntimeValue } from "../config/bootstrap-config.ts";
import { type AdminEndpoint, jsonResponse, textResponse } from "./endpoint.ts";

export function runtimeEndpoint(layers: readonly RuntimeLayer[]): AdminEndpoint {
  return {
    path: "/runtime",
    isMutation: false,
    help: "print runtime values",
    handle() {
      const keys = new Set(layers.flatMap((layer) => Object.keys(layer.values)));
      const entries = [...keys].toSorted().map((key) => {
        const values = layers.map((layer) => shown(layer.values[key]));
        const final = values.findLast((value) => value !== "") ?? "";
        return [key, { final_value: final, layer_values: values }] as const;
      });
      return jsonResponse({
        entries: Object.fromEntries(entries),
        layers: layers.map((layer) => layer.name),
      });
    },
  };
}

/** Values cannot be changed while the process runs; said in the words in which Envoy says that it may not. */
export function runtimeModifyEndpoint(): AdminEndpoint {
  return {
    path: "/runtime_modify",
    isMutation: true,
    help: "modify runtime values (not built: answers 503)",
    handle: () => textResponse("No admin layer specified", 503),
  };
}

function shown(value: RuntimeValue | undefined): string {
  if (value === undefined) return "";
  return typeof value === "object"
    ? JSON.stringify({ numerator: value.millionths, denominator: "MILLION" })
    : String(value);
}
