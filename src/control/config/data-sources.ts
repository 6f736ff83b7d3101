import type { DataSource } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";

/** The text of an inline data source; the field policy refuses the other kinds. */
export function decodeDataSource({ specifier }: DataSource): string {
  if (specifier.case === "inlineString") return specifier.value;
  if (specifier.case === "inlineBytes") return Buffer.from(specifier.value).toString("utf8");
  return "";
}
