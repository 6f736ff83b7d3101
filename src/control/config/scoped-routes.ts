/** Scoped routes: `ScopedRoutes` of the connection manager, and `envoy.config.route.v3.ScopedRouteConfiguration`. */
import { toBinary } from "@bufbuild/protobuf";
import type { ConfigSource as SourceMessage } from "../../../gen/es/envoy/config/core/v3/config_source_pb.d.ts";
import type { ScopedRouteConfiguration } from "../../../gen/es/envoy/config/route/v3/scoped_route_pb.d.ts";
import type {
  ScopedRoutes,
  ScopedRoutes_ScopeKeyBuilder_FragmentBuilder as FragmentMessage,
} from "../../../gen/es/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.d.ts";
import {
  type FragmentBuilder,
  type InlineScope,
  scopeKeyText,
  type ScopedRoutesConfig,
} from "../../shared/config/scoped-routes.ts";
import { decodeCollection } from "./collections.ts";
import type { CollectionSource } from "./config-source.ts";
import { decodeConfigSource } from "./config-sources.ts";
import type { DecodeContext } from "./decode-context.ts";
import type { ListenerNeeds } from "./decoded-listener.ts";
import type { DecodedScope, ScopeSubscription } from "./decoded-scope.ts";
import { decodeInlineRoutes } from "./route-configs.ts";

export const scopeTypeName = "envoy.config.route.v3.ScopedRouteConfiguration";

/** Adds to `needs` what the listener has to subscribe to. */
export function decodeScopedRoutes(
  message: ScopedRoutes,
  statPrefix: string,
  needs: ListenerNeeds,
  context: DecodeContext,
): ScopedRoutesConfig {
  const { name, rdsConfigSource, scopeKeyBuilder, configSpecifier } = message;
  const fragments = scopeKeyBuilder?.fragments ?? [];
  const common = {
    name,
    keyBuilder: fragments.flatMap((fragment) => decodeFragment(fragment, context) ?? []),
  };
  const depend = (scopes: ScopeSubscription["scopes"]): void => {
    needs.dependencies.push({ kind: "srds", name, statPrefix, scopes });
  };
  switch (configSpecifier.case) {
    case "scopedRouteConfigurationsList": {
      const messages = configSpecifier.value.scopedRouteConfigurations;
      depend({ kind: "inline", views: messages.map((scope) => viewOf(scope, context)) });
      const scopes = messages.flatMap((scope) => decodeInline(scope, needs, context) ?? []);
      return { ...common, scopes: { kind: "inline", scopes } };
    }
    case "scopedRds": {
      const { scopedRdsConfigSource, srdsResourcesLocator } = configSpecifier.value;
      if (!rdsConfigSource) context.refuse("scoped_rds needs an rds_config_source");
      if (scopedRdsConfigSource && rdsConfigSource)
        depend({
          kind: "srds",
          source: decodeScopeSource(scopedRdsConfigSource, srdsResourcesLocator, context),
          rdsSource: decodeConfigSource(rdsConfigSource, context),
        });
      return { ...common, scopes: { kind: "srds" } };
    }
    case undefined:
      // The validation rules require one of them.
      return { ...common, scopes: { kind: "inline", scopes: [] } };
    default:
      return configSpecifier satisfies never;
  }
}

function decodeScopeSource(
  message: SourceMessage,
  locator: string,
  context: DecodeContext,
): CollectionSource {
  const source = decodeConfigSource(message, context);
  return {
    ...source,
    collection: decodeCollection(locator, { type: scopeTypeName, source }, context),
  };
}

/** One that came by SRDS, where routes come by RDS alone. */
export function decodeScope(
  message: ScopedRouteConfiguration,
  context: DecodeContext,
): DecodedScope {
  const { name, routeConfigurationName, onDemand } = message;
  if (routeConfigurationName === "") context.refuse("route_configuration_name is empty.");
  return {
    name,
    key: keyOf(message),
    routeConfigName: routeConfigurationName,
    isOnDemand: onDemand,
  };
}

function decodeFragment(
  { type }: FragmentMessage,
  context: DecodeContext,
): FragmentBuilder | undefined {
  // The validation rules require it.
  if (type.case !== "headerValueExtractor") return undefined;
  const { name, elementSeparator, extractType } = type.value;
  const common = { header: name.toLowerCase(), elementSeparator: byteText(elementSeparator) };
  switch (extractType.case) {
    case "index":
      if (extractType.value > 0 && elementSeparator === "")
        context.refuse("Index > 0 for empty string element separator.");
      return { ...common, extract: { kind: "index", index: extractType.value } };
    case "element": {
      const { separator, key } = extractType.value;
      return {
        ...common,
        extract: { kind: "element", separator: byteText(separator), key: byteText(key) },
      };
    }
    case undefined:
      context.refuse("HeaderValueExtractor extract_type not set.");
      return undefined;
    default:
      return extractType satisfies never;
  }
}

function decodeInline(
  message: ScopedRouteConfiguration,
  needs: ListenerNeeds,
  context: DecodeContext,
): InlineScope | undefined {
  const { name, routeConfigurationName, routeConfiguration } = message;
  if (routeConfigurationName !== "")
    context.refuse(
      "Fetching routes via RDS (route_configuration_name) is not supported with inline scoped routes.",
    );
  if (!routeConfiguration) {
    context.refuse("You must specify a route_configuration with inline scoped routes.");
    return undefined;
  }
  const config = decodeInlineRoutes(routeConfiguration, needs, context);
  return { name, key: keyOf(message), config };
}

function viewOf(message: ScopedRouteConfiguration, { protos }: DecodeContext) {
  const schema = protos.schema<ScopedRouteConfiguration>(scopeTypeName);
  return { name: message.name, bytes: toBinary(schema, message) };
}

function keyOf({ key }: ScopedRouteConfiguration): string {
  const fragments = key?.fragments ?? [];
  return scopeKeyText(fragments.map(({ type }) => byteText(type.value ?? "")));
}

/** Headers are compared byte by byte, and their bytes are characters of Latin-1 to the data path. */
function byteText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
