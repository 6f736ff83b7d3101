/** HTTP filters of a connection manager, in proto3 JSON. */
const filters = "envoy.extensions.filters.http";

/** `type`: `grpc_stats.v3.FilterConfig`; a filter is called as its folder. */
export function httpFilter(type: string, fields: object = {}): object {
  const [folder = ""] = type.split(".");
  return {
    name: `envoy.filters.http.${folder}`,
    typed_config: { "@type": `type.googleapis.com/${filters}.${type}`, ...fields },
  };
}
