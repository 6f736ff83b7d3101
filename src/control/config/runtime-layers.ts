/** `layered_runtime`: static layers, flattened to dotted keys as `/runtime` shows them. */
import type { JsonValue } from "@bufbuild/protobuf";
import type { LayeredRuntime } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { FractionalPercent } from "../../../gen/es/envoy/type/v3/percent_pb.d.ts";
import { readJson } from "../proto/json.ts";
import type { RuntimeLayer, RuntimeValue } from "./bootstrap-config.ts";
import type { DecodeContext } from "./decode-context.ts";
import { millionths } from "./route-matches.ts";

export function decodeRuntimeLayers(
  message: LayeredRuntime | undefined,
  context: DecodeContext,
): readonly RuntimeLayer[] {
  const names = new Set<string>();
  let adminLayers = 0;
  return (message?.layers ?? []).map(({ name, layerSpecifier: layer }) => {
    if (names.has(name)) context.refuse(`Duplicate layer name: ${name}`);
    names.add(name);
    const kind = layer.case === "adminLayer" ? "admin" : "static";
    if (kind === "admin" && ++adminLayers > 1)
      context.refuse(
        "Too many admin layers specified in LayeredRuntime, at most one may be specified",
      );
    const values: Record<string, RuntimeValue> = {};
    if (layer.case === "staticLayer") flatten(layer.value, "", { values, context });
    return { name, kind, values };
  });
}

interface Flattening {
  readonly values: Record<string, RuntimeValue>;
  readonly context: DecodeContext;
}

/** An object is a fraction if it says so, else a level of the key. */
function flatten(json: JsonValue, key: string, { values, context }: Flattening): void {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    if (json === null || Array.isArray(json))
      context.refuse(`Invalid runtime entry value for ${key}`);
    else values[key] = json;
    return;
  }
  if ("numerator" in json || "denominator" in json) {
    const schema = context.protos.schema<FractionalPercent>("envoy.type.v3.FractionalPercent");
    const read = readJson(context.protos, schema, json);
    if (read.ok) values[key] = { millionths: millionths(read.value) };
    else context.refuse(`Invalid runtime entry value for ${key}`);
    return;
  }
  for (const [name, inner] of Object.entries(json))
    flatten(inner, key === "" ? name : `${key}.${name}`, { values, context });
}
