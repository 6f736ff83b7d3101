/**
 * Who serves the single resources of an `xdstp` authority: `Bootstrap.config_sources` and `default_config_source`.
 *
 * What one would get wrong: Envoy 1.40 opens these streams and asks them for nothing, unless a runtime guard says
 * so; and never for collections, which belong to the source beside their locator.
 */
import type { Bootstrap } from "../../../gen/es/envoy/config/bootstrap/v3/bootstrap_pb.d.ts";
import type { ConfigSource as SourceMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import { isXdstpName, readXdstpName } from "../proto/xdstp-name.ts";
import { decodeApiConfigSource } from "./api-config-sources.ts";
import type { GrpcApiSource } from "./config-source.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { RuntimeLayer } from "./runtime-layer.ts";

export interface Authorities {
  /** By authority. */
  readonly sources: ReadonlyMap<string, GrpcApiSource>;
  /** Of every other authority; undefined: the source beside the name. */
  readonly fallback: GrpcApiSource | undefined;
}

const guard = "envoy.reloadable_features.xdstp_based_config_singleton_subscriptions";
const noAuthorities: Authorities = { sources: new Map(), fallback: undefined };

export function decodeAuthorities(
  { configSources, defaultConfigSource }: Bootstrap,
  runtimeLayers: readonly RuntimeLayer[],
  context: DecodeContext,
): Authorities {
  if (configSources.length === 0 && !defaultConfigSource) return noAuthorities;
  const sources = new Map<string, GrpcApiSource>();
  for (const message of configSources) {
    if (message.authorities.length === 0)
      context.refuse("xdstp-based non-default config source must have at least one authority.");
    const source = decodeSource(message, context);
    // The first source of an authority is asked, as in Envoy.
    for (const { name } of message.authorities)
      if (source && !sources.has(name)) sources.set(name, source);
  }
  const fallback = defaultConfigSource && decodeSource(defaultConfigSource, context);
  if (isGuardOn(runtimeLayers)) return { sources, fallback };
  context.warn(
    "envoy.config.bootstrap.v3.Bootstrap.config_sources",
    `not asked unless a static runtime layer sets ${guard}`,
  );
  return noAuthorities;
}

/** The source of a name's authority; undefined: the source beside the name counts. */
export function authoritySource(
  name: string,
  { sources, fallback }: Authorities,
): GrpcApiSource | undefined {
  const read = isXdstpName(name) ? readXdstpName(name) : undefined;
  return read?.ok ? (sources.get(read.value.authority) ?? fallback) : undefined;
}

function decodeSource(message: SourceMessage, context: DecodeContext): GrpcApiSource | undefined {
  const names = message.authorities.map(({ name }) => name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index)))
    context.refuse(
      `xdstp-based config source authority ${name} is configured more than once in an xdstp-based config source.`,
    );
  const { configSourceSpecifier: specifier } = message;
  if (specifier.case !== "apiConfigSource") {
    context.refuse(
      "Only api_config_source type is currently supported for xdstp-based config sources.",
    );
    return undefined;
  }
  const source = decodeApiConfigSource(specifier.value, context);
  if (source.apiType === "aggregatedGrpc" || source.apiType === "aggregatedDeltaGrpc")
    return source;
  context.refuse(
    "xdstp-based config source authority only supports AGGREGATED_GRPC and AGGREGATED_DELTA_GRPC types.",
  );
  return undefined;
}

function isGuardOn(layers: readonly RuntimeLayer[]): boolean {
  const texts = layers.flatMap((layer) =>
    layer.kind === "static" ? [layer.values.get(guard)?.text] : [],
  );
  return texts.findLast((text) => text !== undefined) === "true";
}
