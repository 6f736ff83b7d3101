/**
 * HTTP filters of files that `--http-filter` names. A configuration names one as Envoy names extensions without a proto:
 * by a TypedStruct, whose type is the filter's name and whose value is its configuration.
 *
 * What a newcomer would get wrong: which code runs is said on the command line alone. A control plane only names it.
 */
import { toJson } from "@bufbuild/protobuf";
import type { Any, Struct } from "@bufbuild/protobuf/wkt";
import type { PlainHttpFilterConfig } from "../../shared/config/http-config.ts";
import type { HttpFilterModule } from "../../shared/http-filter/http-filter.ts";
import type { TypedConfig } from "../proto/any.ts";
import type { DecodeContext } from "./decode-context.ts";

type ModuleFilterConfig = Extract<PlainHttpFilterConfig, { readonly kind: "module" }>;

export interface ModuleFilter {
  readonly name: string;
  readonly module: HttpFilterModule;
  readonly config: TypedConfig;
}

/** Undefined: it is none of them. */
export function findModuleFilter(
  name: string,
  any: Any | undefined,
  context: DecodeContext,
): ModuleFilter | undefined {
  const modules = context.tools.httpFilters;
  if (modules === undefined || modules.size === 0) return undefined;
  const config = context.open(any);
  const module = config && modules.get(config.typeName);
  return config && module && { name, module, config };
}

/** Refused with what the filter itself says of its configuration. */
export function decodeModuleFilter(
  { name, module, config }: ModuleFilter,
  context: DecodeContext,
): ModuleFilterConfig | undefined {
  const schema = context.protos.schema<Struct>("google.protobuf.Struct");
  const struct = context.read(config, schema);
  if (!struct) return undefined;
  const value = toJson(schema, struct) as Readonly<Record<string, unknown>>;
  try {
    module.configure(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    context.refuse(`HTTP filter '${name}': ${reason}`);
  }
  return { kind: "module", module: module.name, config: value };
}
