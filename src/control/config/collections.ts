/**
 * Collections: `lds_resources_locator` and `cds_resources_locator` of the bootstrap, `srds_resources_locator` of a
 * listener. They take the place of "everything" in a subscription, and the node's own parameters become part of
 * their names.
 */
import type { Node } from "../../../gen/es/envoy/config/core/v3/base_pb.d.ts";
import { isCollection, isXdstpName, readXdstpName, writeXdstpName } from "../proto/xdstp-name.ts";
import type { ConfigSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";

/** By what may stand in `node_context_params`, as in Envoy. */
const nodeParams: Readonly<Record<string, (node: Node) => string>> = {
  id: (node) => node.id,
  cluster: (node) => node.cluster,
  user_agent_name: (node) => node.userAgentName,
  user_agent_version: ({ userAgentVersionType: version }) =>
    version.case === "userAgentVersion" ? version.value : "",
  "user_agent_build_version.version": ({ userAgentVersionType: { case: kind, value } }) => {
    const version = kind === "userAgentBuildVersion" ? value.version : undefined;
    return version ? `${version.majorNumber}.${version.minorNumber}.${version.patch}` : "";
  },
  "locality.region": (node) => node.locality?.region ?? "",
  "locality.zone": (node) => node.locality?.zone ?? "",
  "locality.sub_zone": (node) => node.locality?.subZone ?? "",
};

export function decodeNodeParams(
  names: readonly string[],
  node: Node,
  context: DecodeContext,
): ReadonlyMap<string, string> {
  const known = names.filter((name) => {
    if (name in nodeParams) return true;
    const field = `envoy.config.bootstrap.v3.Bootstrap.node_context_params: ${name}`;
    context.warn(field, "a node has no such parameter");
    return false;
  });
  return new Map(known.map((name) => [`xds.node.${name}`, nodeParams[name]?.(node) ?? ""]));
}

export interface CollectionRules {
  /** `envoy.config.listener.v3.Listener`. */
  readonly type: string;
  /** Who is asked for it. */
  readonly source: ConfigSource | undefined;
}

/**
 * The canonical name of the collection, without the node's parameters; what is against it is noted, in Envoy's words
 * where it has some.
 */
export function decodeCollection(
  locator: string,
  { type, source }: CollectionRules,
  context: DecodeContext,
): string | undefined {
  if (locator === "") return undefined;
  const error = schemeError(locator) ?? sourceError(source);
  if (error !== undefined) context.refuse(error);
  const name = readXdstpName(locator);
  if (!name.ok) {
    if (error === undefined) context.refuse(name.error);
    return undefined;
  }
  if (name.value.type !== type)
    context.refuse(`xdstp:// type does not match ${type} in ${locator}`);
  if (!isCollection(name.value))
    context.refuse(
      `${locator} is no glob collection, whose name ends in /*: lists are not supported`,
    );
  return writeXdstpName(name.value);
}

/** The collection as it is asked for: the node's parameters win over those in the locator, as in Envoy. */
export function collectionOfNode(
  collection: string | undefined,
  nodeParams: ReadonlyMap<string, string>,
): string | undefined {
  const name = collection === undefined ? undefined : readXdstpName(collection);
  if (!name?.ok) return undefined;
  const params = new Map([...name.value.params, ...nodeParams]);
  return writeXdstpName({ ...name.value, params });
}

function schemeError(locator: string): string | undefined {
  if (isXdstpName(locator)) return undefined;
  if (/^(https?|file):/.test(locator))
    return `${locator}: only xdstp: locators are supported; for a file use path_config_source`;
  return `${locator} does not have a xdstp:, http: or file: scheme`;
}

function sourceError(source: ConfigSource | undefined): string | undefined {
  if (source?.kind === "ads") return undefined;
  if (source?.kind !== "api")
    return "Missing or not supported config source specifier in envoy::config::core::v3::ConfigSource for a collection. Only ADS and gRPC in delta-xDS mode are supported.";
  const { apiType } = source.api;
  if (apiType !== "grpc" && apiType !== "rest") return undefined;
  return `Unknown xdstp:// transport API type ${apiType.toUpperCase()}: use DELTA_GRPC or an aggregated one`;
}
