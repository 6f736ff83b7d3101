/** Everything that reads protos, made once: the descriptors are 28 MB and several processor milliseconds. */
import type { Logger } from "../../shared/common/log.ts";
import type { HttpFilterModules } from "../../shared/http-filter/load-filters.ts";
import type { LoadAssignment } from "../../shared/config/cluster-config.ts";
import type { Json, RenderMessage } from "../admin/dump-values.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { DecodeTools } from "../config/decode-context.ts";
import type { DecodedCluster } from "../config/decoded-cluster.ts";
import type { DecodedListener } from "../config/decoded-listener.ts";
import type { DecodedRouteConfig } from "../config/decoded-route-config.ts";
import type { DecodedVirtualHost } from "../config/decoded-virtual-host.ts";
import type { DecodedScope } from "../config/decoded-scope.ts";
import { createListenerComparison } from "../config/listener-comparison.ts";
import { listListeners, type ReadListener, readListeners } from "../config/pushed-listeners.ts";
import type { RuntimeLayerValues, RuntimeValue } from "../config/runtime-layer.ts";
import { runtimeValueOf } from "../config/runtime-layers.ts";
import type { DecodedExtensionConfig } from "../config/extension-config.ts";
import type { DecodedSecret } from "../config/secret-config.ts";
import type { ResourceDecoder } from "../config/resource-decoder.ts";
import { createResourceDecoders } from "../config/resource-decoders.ts";
import type { ListenerComparison } from "../listener/listener-update.ts";
import { type ReadResult, readBinary } from "../proto/binary.ts";
import { writeJson } from "../proto/json.ts";
import { MessageValidator } from "../proto/message-validator.ts";
import { Redaction } from "../proto/redact.ts";
import { type ProtoRegistry, createProtoRegistry } from "../proto/proto-registry.ts";
import type { ResourceType } from "../xds/resource-batch.ts";
import { ConfigWarnings } from "./config-warnings.ts";

export interface ConfigDecoders {
  readonly listeners: ResourceType<DecodedListener>;
  readonly clusters: ResourceType<DecodedCluster>;
  readonly routes: ResourceType<DecodedRouteConfig>;
  readonly virtualHosts: ResourceType<DecodedVirtualHost>;
  readonly scopes: ResourceType<DecodedScope>;
  readonly endpoints: ResourceType<LoadAssignment>;
  readonly secrets: ResourceType<DecodedSecret>;
  readonly extensions: ResourceType<DecodedExtensionConfig>;
  readonly runtimes: ResourceType<RuntimeLayerValues>;
  /** Listeners that nobody has pushed: what is warned of in them is nobody's news. */
  readonly writtenListeners: (text: string) => ReadResult<Iterable<ReadListener>>;
  /** A runtime value from the text of the admin or of a file. */
  readonly runtimeValue: (text: string) => RuntimeValue;
  readonly comparison: ListenerComparison;
  readonly protos: ProtoRegistry;
  readonly render: RenderMessage;
  readonly warnings: ConfigWarnings;
}

/** A bootstrap that can be served, with what it was read by. */
export interface LoadedBootstrap {
  readonly bootstrap: BootstrapConfig;
  readonly decoders: ConfigDecoders;
}

export interface ConfigTools {
  readonly tools: DecodeTools;
  readonly decoders: ConfigDecoders;
}

/** Throws where the descriptors are not there: a broken installation. */
export function createConfigTools(log: Logger, httpFilters: HttpFilterModules): ConfigTools {
  const protos = createProtoRegistry();
  const tools: DecodeTools = { protos, validator: new MessageValidator(protos), httpFilters };
  const warnings = new ConfigWarnings(log);
  const typed = createResourceDecoders(tools);
  const resourceType = <T>(decoder: ResourceDecoder<T>): ResourceType<T> =>
    warnings.reporting(decoder);
  return {
    tools,
    decoders: {
      listeners: resourceType(typed.listeners),
      clusters: resourceType(typed.clusters),
      routes: resourceType(typed.routes),
      virtualHosts: resourceType(typed.virtualHosts),
      scopes: resourceType(typed.scopes),
      endpoints: resourceType(typed.endpoints),
      secrets: resourceType(typed.secrets),
      extensions: resourceType(typed.extensions),
      runtimes: resourceType(typed.runtimes),
      writtenListeners: (text) => {
        const listed = listListeners(text);
        if (!listed.ok) return listed;
        const value = readListeners(listed.value, { protos, decoder: typed.listeners });
        return { ok: true, value };
      },
      runtimeValue: (text) => runtimeValueOf(text, protos),
      comparison: createListenerComparison(protos),
      protos,
      render: renderer(protos),
      warnings,
    },
  };
}

/** What cannot be read is shown as what is wrong with it: a dump is asked for when something is. */
function renderer(protos: ProtoRegistry): RenderMessage {
  const redaction = new Redaction(protos);
  return (typeName, bytes) => {
    const schema = protos.schema(typeName);
    const message = readBinary(schema, bytes);
    if (!message.ok) return { unreadable: message.errors.join("; ") };
    const json = writeJson(protos, schema, message.value);
    if (typeof json !== "object" || json === null || Array.isArray(json)) return {};
    redaction.apply(schema, json);
    return json as Json;
  };
}
