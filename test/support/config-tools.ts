/** The protos and decoders of a test, and resources written as YAML. */
import assert from "node:assert/strict";
import { toBinary } from "@bufbuild/protobuf";
import type { DecodeTools } from "../../src/control/config/decode-context.ts";
import { createResourceDecoders } from "../../src/control/config/resource-decoders.ts";
import type { DecodeResult } from "../../src/control/proto/decode-result.ts";
import { readText } from "../../src/control/proto/json.ts";
import { MessageValidator } from "../../src/control/proto/message-validator.ts";
import { createProtoRegistry } from "../../src/control/proto/proto-registry.ts";

const protos = createProtoRegistry();

export const configTools: DecodeTools = { protos, validator: new MessageValidator(protos) };
export const decoders = createResourceDecoders(configTools);

/** The bytes of a message written as YAML or JSON. */
export function bytesOf(typeName: string, yaml: string): Uint8Array {
  const schema = protos.schema(typeName);
  const read = readText(protos, schema, yaml);
  assert(read.ok, read.ok ? "" : read.errors.join("\n"));
  return toBinary(schema, read.value);
}

export function valueOf<T>(result: DecodeResult<T>): T {
  assert(result.ok, result.ok ? "" : result.errors.join("\n"));
  return result.value;
}

export function errorsOf(result: DecodeResult<unknown>): readonly string[] {
  return result.ok ? [] : result.errors;
}

export const decodeListenerYaml = (yaml: string) =>
  decoders.listeners.decode(bytesOf("envoy.config.listener.v3.Listener", yaml));

export const decodeClusterYaml = (yaml: string) =>
  decoders.clusters.decode(bytesOf("envoy.config.cluster.v3.Cluster", yaml));

export const decodeRoutesYaml = (yaml: string) =>
  decoders.routes.decode(bytesOf("envoy.config.route.v3.RouteConfiguration", yaml));

const types = "type.googleapis.com/envoy.extensions";

export const routerYaml = `{name: envoy.filters.http.router, typed_config: {"@type": ${types}.filters.http.router.v3.Router}}`;

/** A network filter; `fields` are those of the connection manager beside its stat prefix. */
export function managerYaml(fields: string, filters = routerYaml): string {
  return `{name: hcm, typed_config: {"@type": ${types}.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: web, http_filters: [${filters}], ${fields}}}`;
}

export function tcpProxyYaml(fields = "cluster: c"): string {
  return `{name: tcp, typed_config: {"@type": ${types}.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: raw, ${fields}}}`;
}

/** A listener on 127.0.0.1:8080 whose other fields are given. */
export function listenerYaml(fields: string): string {
  return `{name: edge, address: {socket_address: {address: 127.0.0.1, port_value: 8080}}, ${fields}}`;
}

/** A route configuration with one virtual host for all domains. */
export function routesYaml(routes: string, fields = ""): string {
  return `{name: r, virtual_hosts: [{name: v, domains: ["*"], routes: [${routes}]}]${fields}}`;
}
