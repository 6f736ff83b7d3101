/** `GET /clients`: of each connected client and type what it asked for, what it was sent, and what it said. */
import type { JsonObject } from "../../control/proto/yaml.ts";
import type { ClientStatus } from "../connected-clients.ts";
import type { ManagementServer } from "../management-server.ts";
import { servedTypeOf } from "../resource-types.ts";
import type { TypeStatus } from "../session.ts";
import { type ApiHandler, okJson, waitMsOf, wrongMethod } from "./api-answer.ts";

export function clientsApi(server: ManagementServer): ApiHandler {
  return async ({ method, query }) => {
    if (method !== "GET") return wrongMethod(["GET"]);
    const waitMs = waitMsOf(query);
    const isSettled = await server.settled(waitMs ?? 0);
    return okJson({ settled: isSettled, clients: server.clients().map(clientJson) });
  };
}

export function clientJson({ node, isDelta, types }: ClientStatus): JsonObject {
  return {
    node: node.id,
    cluster: node.cluster,
    variant: isDelta ? "delta" : "state of the world",
    types: types.map(typeJson),
  };
}

function typeJson(status: TypeStatus): JsonObject {
  const { typeUrl, isAll, names, verdict, sentCount, acked, nacked } = status;
  return {
    type: servedTypeOf(typeUrl).shortName,
    type_url: typeUrl,
    subscribed: isAll ? ["*", ...names.filter((name) => name !== "*")] : names,
    responses: sentCount,
    state: verdict.kind,
    ...(acked !== undefined && { acked }),
    ...(nacked && { nacked: { version: nacked.version, error: nacked.error } }),
  };
}
