/** `layered_runtime`: which layers there are; what static ones hold, flattened to dotted keys as `/runtime` shows them. */
import type { JsonValue } from "@bufbuild/protobuf";
import type {
  LayeredRuntime,
  RuntimeLayer as LayerMessage,
} from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { FractionalPercent } from "../../../gen/es/envoy/type/v3/percent_pb.d.ts";
import type { RuntimeNumber } from "../../shared/config/runtime-values.ts";
import { readJson } from "../proto/json.ts";
import type { ProtoRegistry } from "../proto/proto-registry.ts";
import { readYaml } from "../proto/yaml.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import { millionths } from "./route-matches.ts";
import type { RuntimeLayer, RuntimeLayerValues, RuntimeValue } from "./runtime-layer.ts";

/** Envoy: without any layer there is one, the admin's. */
const layersDefault: readonly RuntimeLayer[] = [{ kind: "admin", name: "" }];

export function decodeRuntimeLayers(
  message: LayeredRuntime | undefined,
  context: DecodeContext,
): readonly RuntimeLayer[] {
  const names = new Set<string>();
  let adminLayers = 0;
  const layers = (message?.layers ?? []).map((layer): RuntimeLayer => {
    if (names.has(layer.name)) context.refuse(`Duplicate layer name: ${layer.name}`);
    names.add(layer.name);
    if (layer.layerSpecifier.case === "adminLayer" && ++adminLayers > 1)
      context.refuse(
        "Too many admin layers specified in LayeredRuntime, at most one may be specified",
      );
    return decodeLayer(layer, context);
  });
  return layers.length > 0 ? layers : layersDefault;
}

function decodeLayer(
  { name, layerSpecifier: layer }: LayerMessage,
  context: DecodeContext,
): RuntimeLayer {
  switch (layer.case) {
    case "staticLayer":
      return { kind: "static", name, values: decodeRuntimeValues(layer.value, context) };
    case "adminLayer":
      return { kind: "admin", name };
    case "diskLayer": {
      const { symlinkRoot, subdirectory, appendServiceCluster } = layer.value;
      return { kind: "disk", name, symlinkRoot, subdirectory, appendServiceCluster };
    }
    case "rtdsLayer": {
      const { name: resource, rtdsConfig } = layer.value;
      if (!rtdsConfig) context.refuse(`runtime layer '${name}': rtds_layer has no rtds_config`);
      const source = rtdsConfig
        ? decodeConfigSource(rtdsConfig, context)
        : ({ kind: "ads", initialFetchTimeoutMs: 0 } as const);
      return { kind: "rtds", name, resource, source };
    }
    case undefined:
      // The validation rules require one of them.
      return { kind: "static", name, values: new Map() };
    default:
      return layer satisfies never;
  }
}

/** The keys of a Struct; lists and nulls are refused, in Envoy's words. */
export function decodeRuntimeValues(json: JsonValue, context: DecodeContext): RuntimeLayerValues {
  const values = new Map<string, RuntimeValue>();
  flatten(json, "", { values, context });
  return values;
}

interface Flattening {
  readonly values: Map<string, RuntimeValue>;
  readonly context: DecodeContext;
}

/** An object is a fraction if it says so, else a level of the key. */
function flatten(json: JsonValue, key: string, { values, context }: Flattening): void {
  if (json === null || Array.isArray(json)) {
    context.refuse(`Invalid runtime entry value for ${key}`);
  } else if (typeof json === "string") {
    values.set(key, runtimeValueOf(json, context.protos));
  } else if (typeof json !== "object") {
    values.set(key, { text: String(json), number: json });
  } else if ("numerator" in json || "denominator" in json) {
    values.set(key, { text: JSON.stringify(json), ...fractionOf(json, context.protos) });
  } else {
    for (const [name, inner] of Object.entries(json))
      flatten(inner, key === "" ? name : `${key}.${name}`, { values, context });
  }
}

/** Text of a file, of the admin or of a string: a number, a boolean, a fraction as YAML, or nothing but text. */
export function runtimeValueOf(text: string, protos: ProtoRegistry): RuntimeValue {
  const trimmed = text.trim();
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed))
    return { text, number: Number(trimmed) };
  if (/^true$/i.test(trimmed)) return { text, number: true };
  if (/^false$/i.test(trimmed)) return { text, number: false };
  if (!/numerator|denominator/.test(trimmed)) return { text };
  const read = readYaml(trimmed);
  return read.ok ? { text, ...fractionOf(read.value as JsonValue, protos) } : { text };
}

/** One that cannot be read is kept as text and counts for nothing, as in Envoy. */
function fractionOf(json: JsonValue, protos: ProtoRegistry): { readonly number?: RuntimeNumber } {
  const schema = protos.schema<FractionalPercent>("envoy.type.v3.FractionalPercent");
  const read = readJson(protos, schema, json);
  return read.ok ? { number: { millionths: millionths(read.value) } } : {};
}
