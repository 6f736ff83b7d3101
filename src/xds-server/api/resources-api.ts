/**
 * `/resources`: what is served, to read and to replace; all of it, one type, or one resource. What is sent is
 * checked whole before any of it is taken.
 */
import { readYaml } from "../../control/proto/yaml.ts";
import type { ManagementServer } from "../management-server.ts";
import type { ResourceReader } from "../resource-reader.ts";
import type { ServedResource } from "../discovery-wire.ts";
import { servedTypeNamed, servedTypeOf, type ServedType } from "../resource-types.ts";
import {
  type ApiAnswer,
  type ApiHandler,
  type ApiRequest,
  errorJson,
  okJson,
  waitMsOf,
  wrongMethod,
} from "./api-answer.ts";
import { clientJson } from "./clients-api.ts";
import { readResources, readResourceSet, resourceJson, unknownType } from "./resource-json.ts";

interface Context {
  readonly server: ManagementServer;
  readonly reader: ResourceReader;
  readonly request: ApiRequest;
  /** Whose resources; empty: every client's. */
  readonly node: string;
  /** For the answers of clients; `undefined`: not at all. */
  readonly waitMs: number | undefined;
}

/** Behind `/resources`: nothing, a type, or a type and the name of one resource, which may have slashes. */
export function resourcesApi(server: ManagementServer, reader: ResourceReader): ApiHandler {
  return (request) => {
    const [, word, ...nameParts] = request.path;
    const node = request.query.get("node") ?? "";
    // Read before anything is changed: it may be wrong.
    const context = { server, reader, request, node, waitMs: waitMsOf(request.query) };
    if (word === undefined) return all(context);
    const type = servedTypeNamed(word);
    if (!type) return errorJson(404, unknownType(word).errors);
    return nameParts.length === 0 ? ofType(context, type) : one(context, type, nameParts.join("/"));
  };
}

function all(context: Context): Promise<ApiAnswer> | ApiAnswer {
  const { server, reader, request, node } = context;
  if (request.method === "GET") {
    const types = server.typeUrls().map(servedTypeOf);
    const entries = types.map((type) => [type.folder, listJson(context, type)] as const);
    return okJson(Object.fromEntries(entries));
  }
  if (request.method !== "PUT") return wrongMethod(["GET", "PUT"]);
  const json = readYaml(request.body);
  const read = json.ok ? readResourceSet(reader, json.value) : json;
  if (!read.ok) return errorJson(400, read.errors);
  return pushed(context, server.setAll(read.value, node));
}

function ofType(context: Context, type: ServedType): Promise<ApiAnswer> | ApiAnswer {
  const { reader, request } = context;
  if (request.method === "GET") return okJson(listJson(context, type));
  if (request.method !== "PUT") return wrongMethod(["GET", "PUT"]);
  const json = readYaml(request.body);
  const read = json.ok ? readResources(reader, type, json.value) : json;
  return read.ok ? replaced(context, type, read.value) : errorJson(400, read.errors);
}

function one(context: Context, type: ServedType, name: string): Promise<ApiAnswer> | ApiAnswer {
  const { server, reader, request, node } = context;
  const before = server.resourcesOf(type.typeUrl, node);
  const known = before.find((resource) => resource.name === name);
  const isThere = known !== undefined;
  const absent = errorJson(404, [`there is no ${type.shortName} resource '${name}'`]);
  if (request.method === "GET") return known ? okJson(resourceJson(reader, known)) : absent;
  if (request.method === "DELETE") {
    if (!isThere) return absent;
    const others = before.filter((resource) => resource.name !== name);
    return replaced(context, type, others);
  }
  if (request.method !== "PUT") return wrongMethod(["GET", "PUT", "DELETE"]);
  const json = readYaml(request.body);
  const read = json.ok ? readResources(reader, type, json.value) : json;
  if (!read.ok) return errorJson(400, read.errors);
  const [resource, ...more] = read.value;
  if (!resource || more.length > 0) return errorJson(400, ["want one resource"]);
  if (resource.name !== name)
    return errorJson(400, [`${type.nameField}: '${resource.name}' is not '${name}' of the path`]);
  const after = isThere
    ? before.map((old) => (old.name === name ? resource : old))
    : [...before, resource];
  return replaced(context, type, after);
}

function replaced(
  context: Context,
  type: ServedType,
  resources: readonly ServedResource[],
): Promise<ApiAnswer> {
  const { server, node } = context;
  return pushed(context, server.setTypes(new Map([[type.typeUrl, resources]]), node));
}

function listJson({ server, reader, node }: Context, { typeUrl }: ServedType) {
  return server.resourcesOf(typeUrl, node).map((resource) => resourceJson(reader, resource));
}

/** What changed; with `wait`, how every client took it. */
async function pushed(context: Context, changed: readonly ServedType[]): Promise<ApiAnswer> {
  const { server, node, waitMs } = context;
  const types = changed.map(({ shortName, typeUrl }) => ({
    type: shortName,
    version: server.versionOf(typeUrl, node),
    resources: server.resourcesOf(typeUrl, node).length,
  }));
  if (waitMs === undefined) return okJson({ changed: types, streams: server.clientCount });
  const isSettled = await server.settled(waitMs);
  const clients = server.clients().map(clientJson);
  return okJson({ changed: types, settled: isSettled, clients });
}
