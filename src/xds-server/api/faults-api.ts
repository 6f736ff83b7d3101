/** `/faults`: how the server is to misbehave, as a list. And what is done to every connection at once, by a POST. */
import { readYaml } from "../../control/proto/yaml.ts";
import { faultJson, readFaults } from "../faults/fault.ts";
import type { ManagementServer } from "../management-server.ts";
import { type ApiAnswer, type ApiHandler, errorJson, okJson, wrongMethod } from "./api-answer.ts";

export function faultsApi({ faults }: ManagementServer): ApiHandler {
  const list = (): ApiAnswer =>
    okJson(
      faults.list().map(({ fault, applied, left }) => ({
        ...faultJson(fault),
        applied,
        ...(left !== undefined && { left }),
      })),
    );
  return ({ method, body }) => {
    if (method === "GET") return list();
    if (method === "DELETE") {
      faults.clear();
      return list();
    }
    if (method !== "PUT") return wrongMethod(["GET", "PUT", "DELETE"]);
    const json = readYaml(body);
    const read = json.ok ? readFaults(json.value) : json;
    if (!read.ok) return errorJson(400, read.errors);
    faults.set(read.value);
    return list();
  };
}

/** `POST /close`, `/reset`, `/goaway`. */
export function cutApi(server: ManagementServer, how: "close" | "reset" | "goaway"): ApiHandler {
  return ({ method, query }) => {
    if (method !== "POST") return wrongMethod(["POST"]);
    const code = Number(query.get("code") ?? 14);
    if (!Number.isInteger(code) || code < 0 || code > 16)
      return errorJson(400, ["code: must be a gRPC status, 0 to 16"]);
    const streams = server.clientCount;
    if (how === "close") server.dropStreams(code, query.get("message") ?? "told to close");
    else if (how === "reset") server.resetConnections();
    else server.goAway();
    return okJson({ streams });
  };
}
